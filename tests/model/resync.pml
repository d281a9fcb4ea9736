/* Full resync: two objects, one stream at a time and one zombie event, a region that is wiped, a store that is restored from a backup.
 * full_resync.h, event_feed*.cc, region_session.cc. Revisions are lineage and sequence: 16 * lin + seq. Contents are numbers never used twice, which stand for
 * digests. Without a restore no event of the present session is ever below the floor; after one it may be, and is given a new revision.
 *  RETAIN   the walk sends RETAIN for what is READY already; off: nothing
 *  SWEEPEND the region sweeps what it did not see at SyncEnd; off: when the resync begins
 *  ASOF     the sweep spares what is newer than the beginning of the walk
 *  INCCHK   READY counts only on the region's present incarnation
 *  FLOOR0   the floor is 0 while a full resync is incomplete
 *  OWED     the resync is recorded as complete only when all its events are acked
 *  BUMP     restoring takes a new lineage by itself
 *  QUIET    (off) with BUMP=0: nothing is written between the restore and the next Hello
 *  LINEAGE  with BUMP=0: a region that knows more than the store makes it take a new lineage
 *  TOUCH    what the region rejects below its floor gets a new revision
 *  SYNCDONE the resync is recorded as complete only when the region has worked off SyncEnd
 *  LINSYNC  a new lineage asks for a full resync
 *  INCCLR   another incarnation forgets what was synced: one that returns is synced in full (RETURNS=1) */
#ifndef RETAIN
#define RETAIN 1
#endif
#ifndef SWEEPEND
#define SWEEPEND 1
#endif
#ifndef ASOF
#define ASOF 1
#endif
#ifndef INCCHK
#define INCCHK 1
#endif
#ifndef FLOOR0
#define FLOOR0 1
#endif
#ifndef OWED
#define OWED 1
#endif
#ifndef LINEAGE
#define LINEAGE 1
#endif
#ifndef BUMP
#define BUMP 1
#endif
#ifndef QUIET
#define QUIET 0
#endif
#ifndef TOUCH
#define TOUCH 1
#endif
#ifndef SYNCDONE
#define SYNCDONE 1
#endif
#ifndef LINSYNC
#define LINSYNC 1
#endif
#ifndef INCCLR
#define INCCLR 1
#endif
#ifndef RETURNS
#define RETURNS 0
#endif
#ifndef MAXOPS
#define MAXOPS 3
#endif
#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef WIPES
#define WIPES 1
#endif
#ifndef RESTORES
#define RESTORES 1
#endif

/* API, durable */
byte rev = 1, lin = 1, known = 0, synced_inc = 0, synced_lin = 0;
bit ex[2], del[2], pend[2];
byte seq[2], cont[2], obs[2], obsinc[2];
/* its backup */
byte b_rev, b_known, b_synced_inc, b_synced_lin; bit b_taken = 0, b_ex[2], b_del[2], b_pend[2]; byte b_seq[2], b_cont[2], b_obs[2], b_obsinc[2];
/* API, one session: 0 none, 1 walking, 2 SyncEnd sent, 3 in sync */
byte phase = 0, at = 0, asof = 0, counted = 0, fl[2], marked = 0;
bit owes[2], done = 0;
/* region, durable */
byte inc = 1, floor = 0, trev[2], tval[2], most = 0;
bit tdel[2];
/* the region's former target, which may return */
byte o_inc = 0, o_floor, o_trev[2], o_tval[2], o_most; bit o_tdel[2];
/* region, one stream; whether SyncDone is on its way */
bit seen[2], answer = 0;
/* one event that somebody still holds: its revision, 0 none */
byte z_s, z_r = 0, z_c; bit z_d;
/* budgets */
byte ops = 0, losses = LOSSES, wipes = WIPES, restores = RESTORES, returns = RETURNS, next_content = 1;
/* restored, and no region has said Hello since; ever restored */
bit restored = 0, ever_restored = 0;

mtype = { EVENT, RETAINED, END, MARK };
/* kind, object or count, revision or as-of or floor, content, delete, of the resync */
chan ev = [2] of { mtype, byte, byte, byte, bit, bit };
/* one event of an object is in flight, so two acks are the most */
chan ak = [2] of { byte, byte, byte, bit };

#define EFF(s) (16 * lin + seq[s])
#define HEAD (16 * lin + rev)
#define READY(s) (ex[s] && !del[s] && obs[s] == EFF(s) && (!INCCHK || obsinc[s] == known))
#define SYNCING (phase == 1 || phase == 2)
#define LOWEST (pend[0] -> ((pend[1] && seq[1] < seq[0]) -> EFF(1) : EFF(0)) : (pend[1] -> EFF(1) : HEAD + 1))
#define FLOOR ((SYNCING && FLOOR0) -> 0 : LOWEST - 1)

/* P1, but for what the API cannot know yet: the wipe or the restore that the next Hello will tell */
#define P1(s) (!READY(s) || known != inc || restored || (tval[s] == cont[s] && !tdel[s]))
inline check() { assert(P1(0) && P1(1)) }

inline disconnect() {
  do :: nempty(ev) -> ev?_, _, _, _, _, _ :: empty(ev) -> break od;
  do :: nempty(ak) -> ak?_, _, _, _ :: empty(ak) -> break od;
  phase = 0; at = 0; asof = 0; counted = 0; marked = 0; done = 0; answer = 0; fl[0] = 0; fl[1] = 0; owes[0] = 0; owes[1] = 0; seen[0] = 0; seen[1] = 0
}

inline write(s, d) { ops++; rev++; seq[s] = rev; del[s] = d; ex[s] = 1; pend[s] = 1; if :: d -> cont[s] = 0 :: else -> cont[s] = next_content; next_content++ fi }
inline copy(s) { b_ex[s] = ex[s]; b_del[s] = del[s]; b_pend[s] = pend[s]; b_seq[s] = seq[s]; b_cont[s] = cont[s]; b_obs[s] = obs[s]; b_obsinc[s] = obsinc[s] }
inline restore(s) { ex[s] = b_ex[s]; del[s] = b_del[s]; pend[s] = b_pend[s]; seq[s] = b_seq[s]; cont[s] = b_cont[s]; obs[s] = b_obs[s]; obsinc[s] = b_obsinc[s] }

inline leave(s) { o_trev[s] = trev[s]; o_tval[s] = tval[s]; o_tdel[s] = tdel[s] }
inline back(s) { trev[s] = o_trev[s]; tval[s] = o_tval[s]; tdel[s] = o_tdel[s] }

active proctype client() {
end: do
  :: atomic { ops < MAXOPS && !(QUIET && restored) -> if :: write(0, 0) :: write(1, 0) :: ex[0] && !del[0] -> write(0, 1) :: ex[1] && !del[1] -> write(1, 1) fi; check() }
  :: atomic { RESTORES > 0 && !b_taken -> b_taken = 1; b_rev = rev; b_known = known; b_synced_inc = synced_inc; b_synced_lin = synced_lin; copy(0); copy(1) }
  /* the zombie's event does not outlive the restore: stop provisioners before */
  :: atomic { restores > 0 && b_taken && b_rev != rev -> restores--; disconnect(); z_r = 0; rev = b_rev; known = b_known; synced_inc = b_synced_inc; synced_lin = b_synced_lin; restore(0); restore(1);
              restored = 1; ever_restored = 1; if :: BUMP -> lin++ :: else fi }
  :: atomic { losses > 0 && phase != 0 -> losses--; disconnect() }
  :: atomic { wipes > 0 -> wipes--; disconnect(); z_r = 0; if :: RETURNS -> leave(0); leave(1); o_inc = inc; o_floor = floor; o_most = most :: else fi; inc++; floor = 0; most = 0; trev[0] = 0; trev[1] = 0; tval[0] = 0; tval[1] = 0; tdel[0] = 0; tdel[1] = 0 }
  :: atomic { returns > 0 && o_inc != 0 -> returns--; disconnect(); z_r = 0; inc = o_inc; floor = o_floor; most = o_most; back(0); back(1) }
  od
}

inline sweep(s) {
  if :: !seen[s] && trev[s] != 0 && !tdel[s] && (!ASOF || trev[s] <= asof_seen) -> tval[s] = 0; tdel[s] = 1; trev[s] = asof_seen :: else fi
}

/* Hello, Welcome, Grant, SyncBegin */
inline connect() {
  if :: LINEAGE && most > HEAD -> lin++ :: else fi;
  if :: INCCLR && known != inc -> synced_inc = 0 :: else fi;
  restored = 0; known = inc;
  if :: synced_inc != inc || (LINSYNC && synced_lin != lin) -> phase = 1; asof = HEAD :: else -> phase = 3 fi;
  if :: !SWEEPEND && phase == 1 -> asof_seen = asof; sweep(0); sweep(1) :: else fi
}

inline emit(s, sy) { ev!EVENT, s, EFF(s), cont[s], del[s], sy; fl[s] = EFF(s); owes[s] = sy }
inline walk(s) {
  if
  :: !ex[s] -> skip
  :: ex[s] && (READY(s) || fl[s] != 0) -> if :: RETAIN && !del[s] -> ev!RETAINED, s, EFF(s), 0, 0, 1; counted++ :: else fi
  :: else -> emit(s, 1); counted++
  fi;
  at++
}
inline settle(s, r, c, ok) {
  if :: fl[s] != 0 && r >= fl[s] -> fl[s] = 0; owes[s] = 0 :: else fi;
  if
  :: ex[s] && r == EFF(s) && !ok -> assert(ever_restored && TOUCH); rev++; seq[s] = rev; pend[s] = 1; assert(rev < 12)
  :: ex[s] && r < HEAD + 1 && r > EFF(s) -> rev++; seq[s] = rev; pend[s] = 1; assert(rev < 12)
  :: ex[s] && r == EFF(s) && ok ->
     if :: del[s] -> ex[s] = 0; pend[s] = 0; obs[s] = 0
        :: !del[s] && c == cont[s] -> obs[s] = r; obsinc[s] = known; pend[s] = 0
        :: else fi
  :: else
  fi
}

active proctype api() {
  byte s, r, c, asof_seen; bit ok;
end: do
  :: atomic { phase == 0 -> connect(); check(); asof_seen = 0 }
  :: atomic { phase != 0 && pend[0] && fl[0] == 0 && nfull(ev) -> emit(0, 0) }
  :: atomic { phase != 0 && pend[1] && fl[1] == 0 && nfull(ev) -> emit(1, 0) }
  :: atomic { phase == 1 && at == 0 && nfull(ev) -> walk(0) }
  :: atomic { phase == 1 && at == 1 && nfull(ev) -> walk(1) }
  :: atomic { phase == 1 && at == 2 && nfull(ev) -> ev!END, counted, asof, 0, 0, 1; phase = 2 }
  :: atomic { answer -> answer = 0; done = 1 }
  :: atomic { phase == 2 && (!SYNCDONE || done) && (!OWED || (!owes[0] && !owes[1])) -> synced_inc = known; synced_lin = lin; phase = 3 }
  :: atomic { phase != 0 && nfull(ev) && FLOOR > marked -> marked = FLOOR; ev!MARK, 0, marked, 0, 0, 0 }
  :: atomic { ak?s, r, c, ok -> settle(s, r, c, ok); check(); s = 0; r = 0; c = 0; ok = 0 }
  od
}

/* The region's rule; a is what it answers. */
inline apply(s, r, c, d) {
  ok = 1; a = r;
  if
  :: trev[s] == 0 && r <= floor -> ok = 0
  :: trev[s] > r -> a = trev[s]
  :: else -> trev[s] = r; tval[s] = c; tdel[s] = d; if :: r > most -> most = r :: else fi
  fi
}
inline collect(s) { if :: tdel[s] && trev[s] <= floor -> trev[s] = 0; tdel[s] = 0 :: else fi }

active proctype provisioner() {
  byte s, r, c, a, asof_seen; bit d, sy, ok;
end: do
  :: atomic { ev?EVENT, s, r, c, d, sy ->
       if :: sy -> seen[s] = 1 :: else fi;
       if :: z_r == 0 && losses > 0 -> z_s = s; z_r = r; z_c = c; z_d = d :: true fi;
       apply(s, r, c, d); c = tval[s]; ak!s, a, c, ok; check(); s = 0; r = 0; c = 0; a = 0; d = 0; sy = 0; ok = 0 }
  :: atomic { ev?RETAINED, s, r, c, d, sy -> seen[s] = 1; s = 0; r = 0; sy = 0 }
  :: atomic { ev?END, c, asof_seen, s, d, sy -> if :: SWEEPEND && c == seen[0] + seen[1] -> sweep(0); sweep(1) :: else fi; answer = 1; check(); c = 0; asof_seen = 0; s = 0; sy = 0 }
  :: atomic { ev?MARK, s, r, c, d, sy -> if :: r > floor -> floor = r; collect(0); collect(1) :: else fi; r = 0 }
  /* awake again, long after */
  :: atomic { z_r != 0 -> s = z_s; r = z_r; c = z_c; d = z_d; z_r = 0; z_s = 0; z_c = 0; z_d = 0; apply(s, r, c, d); check(); s = 0; r = 0; c = 0; a = 0; d = 0; ok = 0 }
  od
}

/* When nothing can move any more, what is placed is READY and nothing else is held. */
#define DONE(s) (READY(s) || (!ex[s] && (trev[s] == 0 || tdel[s])))
active proctype quiesce() { end: timeout -> assert(phase == 3 && DONE(0) && DONE(1)) }
