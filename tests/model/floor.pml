/* Tombstones and the settled floor: two objects, reordered, repeated and long delayed (zombie) events. placement_scan.cc (SurveyUnsettled) and the
 * region's store. No name is locked: a create while a delete is unfinished is one more desired revision.
 *  FLOORCHK  the region rejects events of objects that it does not know at or below its floor
 *  FLOORMIN  the floor is the lowest unsettled revision minus one; off: the head
 *  RETRYMIN  revisions that wait in the Retry index count as unsettled; off: only those in Pending do */
#ifndef FLOORCHK
#define FLOORCHK 1
#endif
#ifndef FLOORMIN
#define FLOORMIN 1
#endif
#ifndef RETRYMIN
#define RETRYMIN 1
#endif
#ifndef MAXOPS
#define MAXOPS 4
#endif

/* API */
byte rev = 0, ops = 0, des[2];
bit del[2], ex[2], rdy[2], retry[2];
byte sent[2];
/* region: floor, and of each object the revision (0: unknown) and what it holds (0: nothing) */
byte floor = 0, trev[2], tval[2];
byte repeats = 1, failures = 1;
chan ev = [3] of {byte, byte, bit}; chan ak = [2] of {byte, byte, bit};

#define UNSETTLED(s) (ex[s] && !rdy[s] && (RETRYMIN || !retry[s]))
#define LOWER ((des[0] < des[1]) -> des[0] : des[1])
#define LOWEST (UNSETTLED(0) -> (UNSETTLED(1) -> LOWER : des[0]) : (UNSETTLED(1) -> des[1] : 255))
#define FLOOR ((!FLOORMIN || LOWEST == 255) -> rev : LOWEST - 1)

inline desire(s, d) { ops++; rev++; des[s] = rev; del[s] = d; ex[s] = 1; rdy[s] = 0; retry[s] = 0; sent[s] = 0 }
active proctype client() {
end: do
  :: atomic { ops < MAXOPS -> if :: desire(0, 0) :: desire(1, 0) :: ex[0] && !del[0] -> desire(0, 1) :: ex[1] && !del[1] -> desire(1, 1) fi }
  od
}

inline push(s) { ev!s, des[s], del[s]; sent[s] = des[s] }
inline settle(s, r, ok) {
  if
  :: ex[s] && r == des[s] && ok -> retry[s] = 0; if :: del[s] -> ex[s] = 0; rdy[s] = 0 :: else -> rdy[s] = 1 fi
  /* failed for now: leaves Pending for Retry, is sent again */
  :: ex[s] && r == des[s] && !ok && !rdy[s] -> retry[s] = 1; sent[s] = 0
  :: else
  fi
}
active proctype server() {
  byte s, r; bit ok;
end: do
  :: atomic { ex[0] && !rdy[0] && sent[0] != des[0] && nfull(ev) -> push(0) }
  :: atomic { ex[1] && !rdy[1] && sent[1] != des[1] && nfull(ev) -> push(1) }
  /* a session is lost, a zombie still holds the old copy */
  :: atomic { repeats > 0 && ex[0] && !rdy[0] && sent[0] == des[0] && nfull(ev) -> repeats--; push(0) }
  :: atomic { repeats > 0 && ex[1] && !rdy[1] && sent[1] == des[1] && nfull(ev) -> repeats--; push(1) }
  :: atomic { ak?s, r, ok -> settle(s, r, ok); s = 0; r = 0; ok = 0 }
  od
}

inline apply(s, r, d) {
  if
  :: (trev[s] != 0 && r >= trev[s]) || (trev[s] == 0 && (!FLOORCHK || r > floor)) -> trev[s] = r; if :: d -> tval[s] = 0 :: else -> tval[s] = r fi; ok = 1
  :: else -> ok = 0
  fi
}
active [2] proctype provisioner() {
  byte s, r; bit d, ok;
end: do
  :: ev?s, r, d ->
     if
     :: atomic { apply(s, r, d) }; if :: ok -> ak!s, r, 1 :: else fi
     :: atomic { failures > 0 -> failures--; ok = 0 }; ak!s, r, 0
     fi; atomic { s = 0; r = 0; d = 0; ok = 0 }
  od
}

/* A bookmark: the region learns the floor and drops tombstones. */
inline collect(s) { if :: trev[s] != 0 && tval[s] == 0 && trev[s] <= floor -> trev[s] = 0 :: else fi }
active proctype bookmark() {
end: do
  :: atomic { FLOOR > floor -> floor = FLOOR; collect(0); collect(1) }
  od
}

#define OK(s) ((!(ex[s] && rdy[s] && !del[s]) || tval[s] == des[s]) && (ex[s] || tval[s] == 0))
active proctype monitor() { end: atomic { !(OK(0) && OK(1)) -> assert(0) } }
active proctype quiesce() { end: timeout -> assert((!ex[0] || rdy[0]) && (!ex[1] || rdy[1])) }
