/* Ownership and acks: one object, one region, two provisioners, crashes of both sides, zombies. services/api/{placement_acks,region_ownership}.cc.
 * No name is locked: a create while a delete is unfinished is one more desired revision. (A set that is created again in another region has
 * rows of its own there, which share nothing with these: that is this model twice.)
 * Switches, all on in the protocol; run checks what each one off does:
 *  TCHK   the region applies an event only if its revision is not below the stored one
 *  TOMB   the region keeps the revision of what it deleted
 *  MONO   revisions are store-wide and never used again
 *  EPCHK  acks of another epoch are dropped: liveness only, so turning it off breaks nothing
 *  REVEQ  only an ack of exactly the desired revision settles
 *  DELEQ  the same for the ack of a delete, though a create followed
 *  RESEND a new session derives what to send from the index, instead of trusting what an older one sent */
#ifndef TCHK
#define TCHK 1
#endif
#ifndef TOMB
#define TOMB 1
#endif
#ifndef MONO
#define MONO 1
#endif
#ifndef EPCHK
#define EPCHK 1
#endif
#ifndef REVEQ
#define REVEQ 1
#endif
#ifndef DELEQ
#define DELEQ 1
#endif
#ifndef RESEND
#define RESEND 1
#endif
#ifndef MAXOPS
#define MAXOPS 4
#endif

/* durable, API */
byte rev = 0, desired = 0, observed = 0, epoch = 1;
bit exists = 0, del = 0, ready = 0, owner = 0;
/* what the last writer was told */
bit wanted = 0;
/* volatile, API: the revision in flight, 0: none; the highest sent, for RESEND=0 */
byte inflight = 0, sent = 0;
/* durable, region */
byte trev = 0, tval = 0;
/* budgets */
byte ops = 0, crashes = 1, takeovers = 2, deaths = 1;

chan ev0 = [1] of {byte, bit, byte}; chan ev1 = [1] of {byte, bit, byte};
chan ak0 = [1] of {byte, bit, byte}; chan ak1 = [1] of {byte, bit, byte};

inline forget(c) { do :: nempty(c) -> c?_, _, _ :: empty(c) -> break od }
inline new_session() { inflight = 0; if :: RESEND -> sent = 0 :: else fi }

/* SettleAck */
inline onack(r, d, e) {
  if
  :: EPCHK && e != epoch -> skip
  :: else ->
     if :: r >= inflight -> inflight = 0 :: else fi;
     if
     :: exists && (r == desired || (!REVEQ && d == del) || (!DELEQ && d)) ->
        if :: d && (del || !DELEQ) -> exists = 0; ready = 0
           :: !d && !del -> observed = r; ready = 1; if :: !REVEQ -> observed = desired :: else fi
           :: else fi
     :: else fi
  fi
}

#define DUE (exists && !(ready && observed == desired) && inflight == 0 && sent != desired)

active proctype server() {
  byte r, e; bit d;
end: do
  :: atomic { DUE && owner == 0 && nfull(ev0) -> ev0!desired, del, epoch; inflight = desired; if :: !RESEND -> sent = desired :: else fi }
  :: atomic { DUE && owner == 1 && nfull(ev1) -> ev1!desired, del, epoch; inflight = desired; if :: !RESEND -> sent = desired :: else fi }
  :: atomic { ak0?r, d, e -> onack(r, d, e); r = 0; d = 0; e = 0 }
  :: atomic { ak1?r, d, e -> onack(r, d, e); r = 0; d = 0; e = 0 }
  /* lease ends: the standby is granted; the old owner may be asleep with messages in hand */
  :: atomic { takeovers > 0 -> takeovers--; owner = 1 - owner; epoch++; new_session() }
  :: atomic { crashes > 0 -> crashes--; forget(ev0); forget(ev1); forget(ak0); forget(ak1); epoch++; new_session() }
  od
}

active proctype client() {
end: do
  /* Create, also while a delete is unfinished */
  :: atomic { ops < MAXOPS && (!exists || del) -> ops++; if :: MONO -> rev++ :: else -> rev = 1 fi;
              desired = rev; del = 0; exists = 1; ready = 0; wanted = 1; if :: !MONO -> inflight = 0 :: else fi }
  :: atomic { ops < MAXOPS && exists && !del -> ops++; rev++; desired = rev; ready = 0 }
  :: atomic { ops < MAXOPS && exists && !del -> ops++; rev++; desired = rev; del = 1; ready = 0; wanted = 0 }
  od
}

/* The region's rule. What it holds already is acked as it is. */
inline apply(r, d) {
  if
  :: TCHK && r < trev -> skip
  :: else -> trev = r; tval = r; if :: d -> tval = 0; if :: TOMB -> skip :: else -> trev = 0 fi :: else fi
  fi
}

inline die() {
  deaths--; forget(in); forget(out); r = 0; e = 0; a = 0; d = 0;
  if :: owner == me -> epoch++; new_session() :: else fi
}

proctype provisioner(bit me; chan in; chan out) {
  byte r, e, a; bit d;
end: do
  :: in?r, d, e ->
     /* may sleep here, and be a zombie when it wakes */
     if
     :: atomic { apply(r, d); a = r; if :: TCHK && trev > r -> a = trev; d = (tval == 0) :: else fi };
        if :: atomic { out!a, d, e; r = 0; e = 0; a = 0; d = 0 }
           :: atomic { deaths > 0 -> die() } fi
     :: atomic { deaths > 0 -> die() }
     fi
  od
}

init { atomic { run provisioner(0, ev0, ak0); run provisioner(1, ev1, ak1) } }

/* P1: READY at a revision, and the region holds exactly that. P3: what is erased is gone and stays gone. */
#define P1 (!(exists && ready && !del) || (observed == desired && tval == desired))
#define P3 (exists || tval == 0)
/* P4: no ack erases what was created since. */
#define P4 (exists || !wanted)
ltl safe { [] (P1 && P3 && P4) }
/* Histories are finite; when nothing can move any more, everything is settled. */
active proctype quiesce() { end: timeout -> assert(!exists || (ready && observed == desired)) }
