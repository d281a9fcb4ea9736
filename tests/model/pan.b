	switch (t->back) {
	default: Uerror("bad return move");
	case  0: goto R999; /* nothing to undo */

		 /* CLAIM safe */
;
		
	case 3: // STATE 1
		goto R999;

	case 4: // STATE 10
		;
		p_restor(II);
		;
		;
		goto R999;

		 /* PROC quiesce */
;
		;
		;
		;
		
	case 7: // STATE 3
		;
		p_restor(II);
		;
		;
		goto R999;

		 /* PROC :init: */

	case 8: // STATE 1
		;
		;
		delproc(0, now._nr_pr-1);
		;
		goto R999;

	case 9: // STATE 2
		;
		;
		delproc(0, now._nr_pr-1);
		;
		goto R999;

	case 10: // STATE 4
		;
		p_restor(II);
		;
		;
		goto R999;

		 /* PROC provisioner */

	case 11: // STATE 1
		;
		XX = 1;
		unrecv(((P2 *)_this)->in, XX-1, 0, ((int)((P2 *)_this)->r), 1);
		unrecv(((P2 *)_this)->in, XX-1, 1, ((int)((P2 *)_this)->d), 0);
		unrecv(((P2 *)_this)->in, XX-1, 2, ((int)((P2 *)_this)->e), 0);
		((P2 *)_this)->r = trpt->bup.ovals[0];
		((P2 *)_this)->d = trpt->bup.ovals[1];
		((P2 *)_this)->e = trpt->bup.ovals[2];
		;
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;
;
		;
		
	case 13: // STATE 21
		;
		((P2 *)_this)->a = trpt->bup.oval;
		;
		goto R999;

	case 14: // STATE 6
		;
		now.tval = trpt->bup.ovals[1];
		now.trev = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 15: // STATE 8
		;
		now.tval = trpt->bup.oval;
		;
		goto R999;

	case 16: // STATE 21
		;
		((P2 *)_this)->a = trpt->bup.oval;
		;
		goto R999;

	case 17: // STATE 21
		;
		((P2 *)_this)->a = trpt->bup.ovals[1];
		now.trev = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 18: // STATE 21
		;
		((P2 *)_this)->a = trpt->bup.oval;
		;
		goto R999;

	case 19: // STATE 24
		;
		((P2 *)_this)->d = trpt->bup.ovals[2];
		((P2 *)_this)->a = trpt->bup.ovals[1];
	/* 0 */	((P2 *)_this)->r = trpt->bup.ovals[0];
		;
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;
;
		
	case 20: // STATE 27
		goto R999;

	case 21: // STATE 33
		;
		((P2 *)_this)->d = trpt->bup.ovals[3];
		((P2 *)_this)->a = trpt->bup.ovals[2];
		((P2 *)_this)->e = trpt->bup.ovals[1];
		((P2 *)_this)->r = trpt->bup.ovals[0];
		_m = unsend(((P2 *)_this)->out);
		;
		ungrab_ints(trpt->bup.ovals, 4);
		goto R999;
;
		;
		
	case 23: // STATE 36
		;
		now.deaths = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 25: // STATE 38
		;
		XX = 1;
		unrecv(((P2 *)_this)->in, XX-1, 0, trpt->bup.ovals[0], 1);
		unrecv(((P2 *)_this)->in, XX-1, 1, trpt->bup.ovals[1], 0);
		unrecv(((P2 *)_this)->in, XX-1, 2, trpt->bup.ovals[2], 0);
		;
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;
;
		;
		;
		;
		
	case 28: // STATE 46
		;
		XX = 1;
		unrecv(((P2 *)_this)->out, XX-1, 0, trpt->bup.ovals[0], 1);
		unrecv(((P2 *)_this)->out, XX-1, 1, trpt->bup.ovals[1], 0);
		unrecv(((P2 *)_this)->out, XX-1, 2, trpt->bup.ovals[2], 0);
		;
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 29: // STATE 56
		;
		((P2 *)_this)->d = trpt->bup.ovals[3];
		((P2 *)_this)->a = trpt->bup.ovals[2];
		((P2 *)_this)->e = trpt->bup.ovals[1];
		((P2 *)_this)->r = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 4);
		goto R999;

	case 30: // STATE 56
		;
		((P2 *)_this)->d = trpt->bup.ovals[3];
		((P2 *)_this)->a = trpt->bup.ovals[2];
		((P2 *)_this)->e = trpt->bup.ovals[1];
		((P2 *)_this)->r = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 4);
		goto R999;

	case 31: // STATE 58
		;
		now.epoch = trpt->bup.oval;
		;
		goto R999;

	case 32: // STATE 59
		;
		now.inflight = trpt->bup.oval;
		;
		goto R999;

	case 33: // STATE 61
		;
		now.sent = trpt->bup.oval;
		;
		goto R999;
;
		
	case 34: // STATE 64
		goto R999;
;
		
	case 35: // STATE 68
		goto R999;
;
		;
		
	case 37: // STATE 74
		;
		now.deaths = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 39: // STATE 76
		;
		XX = 1;
		unrecv(((P2 *)_this)->in, XX-1, 0, trpt->bup.ovals[0], 1);
		unrecv(((P2 *)_this)->in, XX-1, 1, trpt->bup.ovals[1], 0);
		unrecv(((P2 *)_this)->in, XX-1, 2, trpt->bup.ovals[2], 0);
		;
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;
;
		;
		;
		;
		
	case 42: // STATE 84
		;
		XX = 1;
		unrecv(((P2 *)_this)->out, XX-1, 0, trpt->bup.ovals[0], 1);
		unrecv(((P2 *)_this)->out, XX-1, 1, trpt->bup.ovals[1], 0);
		unrecv(((P2 *)_this)->out, XX-1, 2, trpt->bup.ovals[2], 0);
		;
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 43: // STATE 94
		;
		((P2 *)_this)->d = trpt->bup.ovals[3];
		((P2 *)_this)->a = trpt->bup.ovals[2];
		((P2 *)_this)->e = trpt->bup.ovals[1];
		((P2 *)_this)->r = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 4);
		goto R999;

	case 44: // STATE 94
		;
		((P2 *)_this)->d = trpt->bup.ovals[3];
		((P2 *)_this)->a = trpt->bup.ovals[2];
		((P2 *)_this)->e = trpt->bup.ovals[1];
		((P2 *)_this)->r = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 4);
		goto R999;

	case 45: // STATE 96
		;
		now.epoch = trpt->bup.oval;
		;
		goto R999;

	case 46: // STATE 97
		;
		now.inflight = trpt->bup.oval;
		;
		goto R999;

	case 47: // STATE 99
		;
		now.sent = trpt->bup.oval;
		;
		goto R999;
;
		
	case 48: // STATE 102
		goto R999;
;
		
	case 49: // STATE 106
		goto R999;

	case 50: // STATE 114
		;
		p_restor(II);
		;
		;
		goto R999;

		 /* PROC client */

	case 51: // STATE 2
		;
		now.ops = trpt->bup.oval;
		;
		goto R999;

	case 52: // STATE 13
		;
		now.wanted = trpt->bup.ovals[5];
		now.ready = trpt->bup.ovals[4];
		now.exists = trpt->bup.ovals[3];
		now.del = trpt->bup.ovals[2];
		now.desired = trpt->bup.ovals[1];
		now.rev = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 6);
		goto R999;

	case 53: // STATE 13
		;
		now.wanted = trpt->bup.ovals[5];
		now.ready = trpt->bup.ovals[4];
		now.exists = trpt->bup.ovals[3];
		now.del = trpt->bup.ovals[2];
		now.desired = trpt->bup.ovals[1];
		now.rev = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 6);
		goto R999;

	case 54: // STATE 13
		;
		now.wanted = trpt->bup.ovals[4];
		now.ready = trpt->bup.ovals[3];
		now.exists = trpt->bup.ovals[2];
		now.del = trpt->bup.ovals[1];
		now.desired = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 5);
		goto R999;

	case 55: // STATE 15
		;
		now.inflight = trpt->bup.oval;
		;
		goto R999;
;
		
	case 56: // STATE 18
		goto R999;

	case 57: // STATE 24
		;
		now.ready = trpt->bup.ovals[3];
		now.desired = trpt->bup.ovals[2];
		now.rev = trpt->bup.ovals[1];
		now.ops = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 4);
		goto R999;

	case 58: // STATE 32
		;
		now.wanted = trpt->bup.ovals[5];
		now.ready = trpt->bup.ovals[4];
		now.del = trpt->bup.ovals[3];
		now.desired = trpt->bup.ovals[2];
		now.rev = trpt->bup.ovals[1];
		now.ops = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 6);
		goto R999;

	case 59: // STATE 37
		;
		p_restor(II);
		;
		;
		goto R999;

		 /* PROC server */
;
		;
		
	case 61: // STATE 3
		;
		now.inflight = trpt->bup.oval;
		_m = unsend(now.ev0);
		;
		goto R999;

	case 62: // STATE 5
		;
		now.sent = trpt->bup.oval;
		;
		goto R999;
;
		
	case 63: // STATE 8
		goto R999;
;
		;
		
	case 65: // STATE 12
		;
		now.inflight = trpt->bup.oval;
		_m = unsend(now.ev1);
		;
		goto R999;

	case 66: // STATE 14
		;
		now.sent = trpt->bup.oval;
		;
		goto R999;
;
		
	case 67: // STATE 17
		goto R999;

	case 68: // STATE 19
		;
		XX = 1;
		unrecv(now.ak0, XX-1, 0, ((int)((P0 *)_this)->r), 1);
		unrecv(now.ak0, XX-1, 1, ((int)((P0 *)_this)->d), 0);
		unrecv(now.ak0, XX-1, 2, ((int)((P0 *)_this)->e), 0);
		((P0 *)_this)->r = trpt->bup.ovals[0];
		((P0 *)_this)->d = trpt->bup.ovals[1];
		((P0 *)_this)->e = trpt->bup.ovals[2];
		;
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 69: // STATE 20
		;
	/* 0 */	((P0 *)_this)->e = trpt->bup.oval;
		;
		;
		goto R999;

	case 70: // STATE 51
		;
		((P0 *)_this)->e = trpt->bup.ovals[2];
		((P0 *)_this)->d = trpt->bup.ovals[1];
		((P0 *)_this)->r = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 71: // STATE 24
		;
		now.inflight = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 73: // STATE 51
		;
		((P0 *)_this)->e = trpt->bup.ovals[5];
		((P0 *)_this)->d = trpt->bup.ovals[4];
		((P0 *)_this)->r = trpt->bup.ovals[3];
		now.ready = trpt->bup.ovals[2];
		now.exists = trpt->bup.ovals[1];
	/* 0 */	((P0 *)_this)->d = trpt->bup.ovals[0];
		;
		;
		ungrab_ints(trpt->bup.ovals, 6);
		goto R999;

	case 74: // STATE 34
		;
		now.ready = trpt->bup.ovals[2];
		now.observed = trpt->bup.ovals[1];
	/* 0 */	((P0 *)_this)->d = trpt->bup.ovals[0];
		;
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 75: // STATE 51
		;
		((P0 *)_this)->e = trpt->bup.ovals[3];
		((P0 *)_this)->d = trpt->bup.ovals[2];
		((P0 *)_this)->r = trpt->bup.ovals[1];
		now.observed = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 4);
		goto R999;

	case 76: // STATE 51
		;
		((P0 *)_this)->e = trpt->bup.ovals[2];
		((P0 *)_this)->d = trpt->bup.ovals[1];
		((P0 *)_this)->r = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 77: // STATE 53
		;
		XX = 1;
		unrecv(now.ak1, XX-1, 0, ((int)((P0 *)_this)->r), 1);
		unrecv(now.ak1, XX-1, 1, ((int)((P0 *)_this)->d), 0);
		unrecv(now.ak1, XX-1, 2, ((int)((P0 *)_this)->e), 0);
		((P0 *)_this)->r = trpt->bup.ovals[0];
		((P0 *)_this)->d = trpt->bup.ovals[1];
		((P0 *)_this)->e = trpt->bup.ovals[2];
		;
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 78: // STATE 54
		;
	/* 0 */	((P0 *)_this)->e = trpt->bup.oval;
		;
		;
		goto R999;

	case 79: // STATE 85
		;
		((P0 *)_this)->e = trpt->bup.ovals[2];
		((P0 *)_this)->d = trpt->bup.ovals[1];
		((P0 *)_this)->r = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 80: // STATE 58
		;
		now.inflight = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 82: // STATE 85
		;
		((P0 *)_this)->e = trpt->bup.ovals[5];
		((P0 *)_this)->d = trpt->bup.ovals[4];
		((P0 *)_this)->r = trpt->bup.ovals[3];
		now.ready = trpt->bup.ovals[2];
		now.exists = trpt->bup.ovals[1];
	/* 0 */	((P0 *)_this)->d = trpt->bup.ovals[0];
		;
		;
		ungrab_ints(trpt->bup.ovals, 6);
		goto R999;

	case 83: // STATE 68
		;
		now.ready = trpt->bup.ovals[2];
		now.observed = trpt->bup.ovals[1];
	/* 0 */	((P0 *)_this)->d = trpt->bup.ovals[0];
		;
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 84: // STATE 85
		;
		((P0 *)_this)->e = trpt->bup.ovals[3];
		((P0 *)_this)->d = trpt->bup.ovals[2];
		((P0 *)_this)->r = trpt->bup.ovals[1];
		now.observed = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 4);
		goto R999;

	case 85: // STATE 85
		;
		((P0 *)_this)->e = trpt->bup.ovals[2];
		((P0 *)_this)->d = trpt->bup.ovals[1];
		((P0 *)_this)->r = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 86: // STATE 90
		;
		now.epoch = trpt->bup.ovals[2];
		now.owner = trpt->bup.ovals[1];
		now.takeovers = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 87: // STATE 91
		;
		now.inflight = trpt->bup.oval;
		;
		goto R999;

	case 88: // STATE 93
		;
		now.sent = trpt->bup.oval;
		;
		goto R999;
;
		
	case 89: // STATE 96
		goto R999;

	case 90: // STATE 100
		;
		now.crashes = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 92: // STATE 102
		;
		XX = 1;
		unrecv(now.ev0, XX-1, 0, trpt->bup.ovals[0], 1);
		unrecv(now.ev0, XX-1, 1, trpt->bup.ovals[1], 0);
		unrecv(now.ev0, XX-1, 2, trpt->bup.ovals[2], 0);
		;
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;
;
		;
		;
		;
		
	case 95: // STATE 110
		;
		XX = 1;
		unrecv(now.ev1, XX-1, 0, trpt->bup.ovals[0], 1);
		unrecv(now.ev1, XX-1, 1, trpt->bup.ovals[1], 0);
		unrecv(now.ev1, XX-1, 2, trpt->bup.ovals[2], 0);
		;
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;
;
		;
		;
		;
		
	case 98: // STATE 118
		;
		XX = 1;
		unrecv(now.ak0, XX-1, 0, trpt->bup.ovals[0], 1);
		unrecv(now.ak0, XX-1, 1, trpt->bup.ovals[1], 0);
		unrecv(now.ak0, XX-1, 2, trpt->bup.ovals[2], 0);
		;
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;
;
		;
		;
		;
		
	case 101: // STATE 126
		;
		XX = 1;
		unrecv(now.ak1, XX-1, 0, trpt->bup.ovals[0], 1);
		unrecv(now.ak1, XX-1, 1, trpt->bup.ovals[1], 0);
		unrecv(now.ak1, XX-1, 2, trpt->bup.ovals[2], 0);
		;
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 102: // STATE 133
		;
		now.epoch = trpt->bup.oval;
		;
		goto R999;

	case 103: // STATE 133
		;
		now.epoch = trpt->bup.oval;
		;
		goto R999;

	case 104: // STATE 134
		;
		now.inflight = trpt->bup.oval;
		;
		goto R999;

	case 105: // STATE 136
		;
		now.sent = trpt->bup.oval;
		;
		goto R999;
;
		
	case 106: // STATE 139
		goto R999;

	case 107: // STATE 145
		;
		p_restor(II);
		;
		;
		goto R999;
	}

