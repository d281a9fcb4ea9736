#define rand	pan_rand
#define pthread_equal(a,b)	((a)==(b))
#if defined(HAS_CODE) && defined(VERBOSE)
	#ifdef BFS_PAR
		bfs_printf("Pr: %d Tr: %d\n", II, t->forw);
	#else
		cpu_printf("Pr: %d Tr: %d\n", II, t->forw);
	#endif
#endif
	switch (t->forw) {
	default: Uerror("bad forward move");
	case 0:	/* if without executable clauses */
		continue;
	case 1: /* generic 'goto' or 'skip' */
		IfNotBlocked
		_m = 3; goto P999;
	case 2: /* generic 'else' */
		IfNotBlocked
		if (trpt->o_pm&1) continue;
		_m = 3; goto P999;

		 /* CLAIM safe */
	case 3: // STATE 1 - _spin_nvr.tmp:3 - [(!((((!(((exists&&ready)&&!(del)))||((observed==desired)&&(tval==desired)))&&(exists||(tval==0)))&&(exists||!(wanted)))))] (6:0:0 - 1)
		
#if defined(VERI) && !defined(NP)
#if NCLAIMS>1
		{	static int reported1 = 0;
			if (verbose && !reported1)
			{	int nn = (int) ((Pclaim *)pptr(0))->_n;
				printf("depth %ld: Claim %s (%d), state %d (line %d)\n",
					depth, procname[spin_c_typ[nn]], nn, (int) ((Pclaim *)pptr(0))->_p, src_claim[ (int) ((Pclaim *)pptr(0))->_p ]);
				reported1 = 1;
				fflush(stdout);
		}	}
#else
		{	static int reported1 = 0;
			if (verbose && !reported1)
			{	printf("depth %d: Claim, state %d (line %d)\n",
					(int) depth, (int) ((Pclaim *)pptr(0))->_p, src_claim[ (int) ((Pclaim *)pptr(0))->_p ]);
				reported1 = 1;
				fflush(stdout);
		}	}
#endif
#endif
		reached[5][1] = 1;
		if (!( !(((( !(((((int)now.exists)&&((int)now.ready))&& !(((int)now.del))))||((((int)now.observed)==((int)now.desired))&&(((int)now.tval)==((int)now.desired))))&&(((int)now.exists)||(((int)now.tval)==0)))&&(((int)now.exists)|| !(((int)now.wanted)))))))
			continue;
		/* merge: assert(!(!((((!(((exists&&ready)&&!(del)))||((observed==desired)&&(tval==desired)))&&(exists||(tval==0)))&&(exists||!(wanted))))))(0, 2, 6) */
		reached[5][2] = 1;
		spin_assert( !( !(((( !(((((int)now.exists)&&((int)now.ready))&& !(((int)now.del))))||((((int)now.observed)==((int)now.desired))&&(((int)now.tval)==((int)now.desired))))&&(((int)now.exists)||(((int)now.tval)==0)))&&(((int)now.exists)|| !(((int)now.wanted)))))), " !( !(((( !(((exists&&ready)&& !(del)))||((observed==desired)&&(tval==desired)))&&(exists||(tval==0)))&&(exists|| !(wanted)))))", II, tt, t);
		/* merge: .(goto)(0, 7, 6) */
		reached[5][7] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 4: // STATE 10 - _spin_nvr.tmp:8 - [-end-] (0:0:0 - 1)
		
#if defined(VERI) && !defined(NP)
#if NCLAIMS>1
		{	static int reported10 = 0;
			if (verbose && !reported10)
			{	int nn = (int) ((Pclaim *)pptr(0))->_n;
				printf("depth %ld: Claim %s (%d), state %d (line %d)\n",
					depth, procname[spin_c_typ[nn]], nn, (int) ((Pclaim *)pptr(0))->_p, src_claim[ (int) ((Pclaim *)pptr(0))->_p ]);
				reported10 = 1;
				fflush(stdout);
		}	}
#else
		{	static int reported10 = 0;
			if (verbose && !reported10)
			{	printf("depth %d: Claim, state %d (line %d)\n",
					(int) depth, (int) ((Pclaim *)pptr(0))->_p, src_claim[ (int) ((Pclaim *)pptr(0))->_p ]);
				reported10 = 1;
				fflush(stdout);
		}	}
#endif
#endif
		reached[5][10] = 1;
		if (!delproc(1, II)) continue;
		_m = 3; goto P999; /* 0 */

		 /* PROC quiesce */
	case 5: // STATE 1 - prov.pml:131 - [(timeout)] (0:0:0 - 1)
		IfNotBlocked
		reached[4][1] = 1;
		if (!(((trpt->tau)&1)))
			continue;
		_m = 1; goto P999; /* 0 */
	case 6: // STATE 2 - prov.pml:131 - [assert((!(exists)||(ready&&(observed==desired))))] (0:0:0 - 1)
		IfNotBlocked
		reached[4][2] = 1;
		spin_assert(( !(((int)now.exists))||(((int)now.ready)&&(((int)now.observed)==((int)now.desired)))), "( !(exists)||(ready&&(observed==desired)))", II, tt, t);
		_m = 3; goto P999; /* 0 */
	case 7: // STATE 3 - prov.pml:131 - [-end-] (0:0:0 - 1)
		IfNotBlocked
		reached[4][3] = 1;
		if (!delproc(1, II)) continue;
		_m = 3; goto P999; /* 0 */

		 /* PROC :init: */
	case 8: // STATE 1 - prov.pml:122 - [(run provisioner(0,ev0,ak0))] (0:0:0 - 1)
		IfNotBlocked
		reached[3][1] = 1;
		if (!(addproc(II, 1, 2, 0, now.ev0, now.ak0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 9: // STATE 2 - prov.pml:122 - [(run provisioner(1,ev1,ak1))] (0:0:0 - 1)
		IfNotBlocked
		reached[3][2] = 1;
		if (!(addproc(II, 1, 2, 1, now.ev1, now.ak1)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 10: // STATE 4 - prov.pml:122 - [-end-] (0:0:0 - 1)
		IfNotBlocked
		reached[3][4] = 1;
		if (!delproc(1, II)) continue;
		_m = 3; goto P999; /* 0 */

		 /* PROC provisioner */
	case 11: // STATE 1 - prov.pml:111 - [in?r,d,e] (0:0:3 - 1)
		reached[2][1] = 1;
		if (q_len(((P2 *)_this)->in) == 0) continue;

		XX=1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)((P2 *)_this)->r);
		(trpt+1)->bup.ovals[1] = ((int)((P2 *)_this)->d);
		(trpt+1)->bup.ovals[2] = ((int)((P2 *)_this)->e);
		;
		((P2 *)_this)->r = qrecv(((P2 *)_this)->in, XX-1, 0, 0);
#ifdef VAR_RANGES
		logval("provisioner:r", ((int)((P2 *)_this)->r));
#endif
		;
		((P2 *)_this)->d = qrecv(((P2 *)_this)->in, XX-1, 1, 0);
#ifdef VAR_RANGES
		logval("provisioner:d", ((int)((P2 *)_this)->d));
#endif
		;
		((P2 *)_this)->e = qrecv(((P2 *)_this)->in, XX-1, 2, 1);
#ifdef VAR_RANGES
		logval("provisioner:e", ((int)((P2 *)_this)->e));
#endif
		;
		
#ifdef HAS_CODE
		if (readtrail && gui) {
			char simtmp[32];
			sprintf(simvals, "%d?", ((P2 *)_this)->in);
		sprintf(simtmp, "%d", ((int)((P2 *)_this)->r)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)((P2 *)_this)->d)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)((P2 *)_this)->e)); strcat(simvals, simtmp);		}
#endif
		;
		_m = 4; goto P999; /* 0 */
	case 12: // STATE 2 - prov.pml:98 - [((1&&(r<trev)))] (0:0:0 - 1)
		IfNotBlocked
		reached[2][2] = 1;
		if (!((1&&(((int)((P2 *)_this)->r)<((int)now.trev)))))
			continue;
		_m = 3; goto P999; /* 0 */
	case 13: // STATE 3 - prov.pml:98 - [(1)] (26:0:1 - 1)
		IfNotBlocked
		reached[2][3] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(26, 19, 26) */
		reached[2][19] = 1;
		;
		/* merge: a = r(26, 21, 26) */
		reached[2][21] = 1;
		(trpt+1)->bup.oval = ((int)((P2 *)_this)->a);
		((P2 *)_this)->a = ((int)((P2 *)_this)->r);
#ifdef VAR_RANGES
		logval("provisioner:a", ((int)((P2 *)_this)->a));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 14: // STATE 5 - prov.pml:99 - [trev = r] (0:16:2 - 1)
		IfNotBlocked
		reached[2][5] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.trev);
		now.trev = ((int)((P2 *)_this)->r);
#ifdef VAR_RANGES
		logval("trev", ((int)now.trev));
#endif
		;
		/* merge: tval = r(16, 6, 16) */
		reached[2][6] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.tval);
		now.tval = ((int)((P2 *)_this)->r);
#ifdef VAR_RANGES
		logval("tval", ((int)now.tval));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 15: // STATE 7 - prov.pml:99 - [(d)] (13:0:1 - 1)
		IfNotBlocked
		reached[2][7] = 1;
		if (!(((int)((P2 *)_this)->d)))
			continue;
		/* merge: tval = 0(0, 8, 13) */
		reached[2][8] = 1;
		(trpt+1)->bup.oval = ((int)now.tval);
		now.tval = 0;
#ifdef VAR_RANGES
		logval("tval", ((int)now.tval));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 16: // STATE 10 - prov.pml:99 - [(1)] (26:0:1 - 1)
		IfNotBlocked
		reached[2][10] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(26, 14, 26) */
		reached[2][14] = 1;
		;
		/* merge: .(goto)(26, 17, 26) */
		reached[2][17] = 1;
		;
		/* merge: .(goto)(26, 19, 26) */
		reached[2][19] = 1;
		;
		/* merge: a = r(26, 21, 26) */
		reached[2][21] = 1;
		(trpt+1)->bup.oval = ((int)((P2 *)_this)->a);
		((P2 *)_this)->a = ((int)((P2 *)_this)->r);
#ifdef VAR_RANGES
		logval("provisioner:a", ((int)((P2 *)_this)->a));
#endif
		;
		_m = 3; goto P999; /* 4 */
	case 17: // STATE 12 - prov.pml:99 - [trev = 0] (0:26:2 - 1)
		IfNotBlocked
		reached[2][12] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.trev);
		now.trev = 0;
#ifdef VAR_RANGES
		logval("trev", ((int)now.trev));
#endif
		;
		/* merge: .(goto)(26, 14, 26) */
		reached[2][14] = 1;
		;
		/* merge: .(goto)(26, 17, 26) */
		reached[2][17] = 1;
		;
		/* merge: .(goto)(26, 19, 26) */
		reached[2][19] = 1;
		;
		/* merge: a = r(26, 21, 26) */
		reached[2][21] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P2 *)_this)->a);
		((P2 *)_this)->a = ((int)((P2 *)_this)->r);
#ifdef VAR_RANGES
		logval("provisioner:a", ((int)((P2 *)_this)->a));
#endif
		;
		_m = 3; goto P999; /* 4 */
	case 18: // STATE 21 - prov.pml:114 - [a = r] (0:26:1 - 7)
		IfNotBlocked
		reached[2][21] = 1;
		(trpt+1)->bup.oval = ((int)((P2 *)_this)->a);
		((P2 *)_this)->a = ((int)((P2 *)_this)->r);
#ifdef VAR_RANGES
		logval("provisioner:a", ((int)((P2 *)_this)->a));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 19: // STATE 22 - prov.pml:114 - [((1&&(trev>r)))] (71:0:3 - 1)
		IfNotBlocked
		reached[2][22] = 1;
		if (!((1&&(((int)now.trev)>((int)((P2 *)_this)->r)))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: r */  (trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((P2 *)_this)->r;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P2 *)_this)->r = 0;
		/* merge: a = trev(71, 23, 71) */
		reached[2][23] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P2 *)_this)->a);
		((P2 *)_this)->a = ((int)now.trev);
#ifdef VAR_RANGES
		logval("provisioner:a", ((int)((P2 *)_this)->a));
#endif
		;
		/* merge: d = (tval==0)(71, 24, 71) */
		reached[2][24] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P2 *)_this)->d);
		((P2 *)_this)->d = (((int)now.tval)==0);
#ifdef VAR_RANGES
		logval("provisioner:d", ((int)((P2 *)_this)->d));
#endif
		;
		/* merge: .(goto)(71, 27, 71) */
		reached[2][27] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 20: // STATE 27 - prov.pml:114 - [.(goto)] (0:71:0 - 2)
		IfNotBlocked
		reached[2][27] = 1;
		;
		_m = 3; goto P999; /* 0 */
	case 21: // STATE 29 - prov.pml:115 - [out!a,d,e] (111:0:4 - 1)
		IfNotBlocked
		reached[2][29] = 1;
		if (q_full(((P2 *)_this)->out))
			continue;
#ifdef HAS_CODE
		if (readtrail && gui) {
			char simtmp[64];
			sprintf(simvals, "%d!", ((P2 *)_this)->out);
		sprintf(simtmp, "%d", ((int)((P2 *)_this)->a)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)((P2 *)_this)->d)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)((P2 *)_this)->e)); strcat(simvals, simtmp);		}
#endif
		
		qsend(((P2 *)_this)->out, 0, ((int)((P2 *)_this)->a), ((int)((P2 *)_this)->d), ((int)((P2 *)_this)->e), 3);
		/* merge: r = 0(111, 30, 111) */
		reached[2][30] = 1;
		(trpt+1)->bup.ovals = grab_ints(4);
		(trpt+1)->bup.ovals[0] = ((int)((P2 *)_this)->r);
		((P2 *)_this)->r = 0;
#ifdef VAR_RANGES
		logval("provisioner:r", ((int)((P2 *)_this)->r));
#endif
		;
		/* merge: e = 0(111, 31, 111) */
		reached[2][31] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P2 *)_this)->e);
		((P2 *)_this)->e = 0;
#ifdef VAR_RANGES
		logval("provisioner:e", ((int)((P2 *)_this)->e));
#endif
		;
		/* merge: a = 0(111, 32, 111) */
		reached[2][32] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P2 *)_this)->a);
		((P2 *)_this)->a = 0;
#ifdef VAR_RANGES
		logval("provisioner:a", ((int)((P2 *)_this)->a));
#endif
		;
		/* merge: d = 0(111, 33, 111) */
		reached[2][33] = 1;
		(trpt+1)->bup.ovals[3] = ((int)((P2 *)_this)->d);
		((P2 *)_this)->d = 0;
#ifdef VAR_RANGES
		logval("provisioner:d", ((int)((P2 *)_this)->d));
#endif
		;
		/* merge: .(goto)(0, 72, 111) */
		reached[2][72] = 1;
		;
		/* merge: .(goto)(0, 110, 111) */
		reached[2][110] = 1;
		;
		/* merge: .(goto)(0, 112, 111) */
		reached[2][112] = 1;
		;
		_m = 2; goto P999; /* 7 */
	case 22: // STATE 35 - prov.pml:116 - [((deaths>0))] (0:0:0 - 1)
		IfNotBlocked
		reached[2][35] = 1;
		if (!((((int)now.deaths)>0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 23: // STATE 36 - prov.pml:104 - [deaths = (deaths-1)] (0:0:1 - 1)
		IfNotBlocked
		reached[2][36] = 1;
		(trpt+1)->bup.oval = ((int)now.deaths);
		now.deaths = (((int)now.deaths)-1);
#ifdef VAR_RANGES
		logval("deaths", ((int)now.deaths));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 24: // STATE 37 - prov.pml:52 - [(nempty(in))] (0:0:0 - 1)
		IfNotBlocked
		reached[2][37] = 1;
		if (!((q_len(((P2 *)_this)->in)>0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 25: // STATE 38 - prov.pml:52 - [in?_,_,_] (0:0:3 - 1)
		reached[2][38] = 1;
		if (q_len(((P2 *)_this)->in) == 0) continue;

		XX=1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = qrecv(((P2 *)_this)->in, XX-1, 0, 0);
		(trpt+1)->bup.ovals[1] = qrecv(((P2 *)_this)->in, XX-1, 1, 0);
		(trpt+1)->bup.ovals[2] = qrecv(((P2 *)_this)->in, XX-1, 2, 0);
		;
		qrecv(((P2 *)_this)->in, XX-1, 0, 0);
		qrecv(((P2 *)_this)->in, XX-1, 1, 0);
		qrecv(((P2 *)_this)->in, XX-1, 2, 1);
		
#ifdef HAS_CODE
		if (readtrail && gui) {
			char simtmp[32];
			sprintf(simvals, "%d?", ((P2 *)_this)->in);
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		}
#endif
		;
		_m = 4; goto P999; /* 0 */
	case 26: // STATE 39 - prov.pml:52 - [(empty(in))] (0:0:0 - 1)
		IfNotBlocked
		reached[2][39] = 1;
		if (!((q_len(((P2 *)_this)->in)==0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 27: // STATE 45 - prov.pml:52 - [(nempty(out))] (0:0:0 - 1)
		IfNotBlocked
		reached[2][45] = 1;
		if (!((q_len(((P2 *)_this)->out)>0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 28: // STATE 46 - prov.pml:52 - [out?_,_,_] (0:0:3 - 1)
		reached[2][46] = 1;
		if (q_len(((P2 *)_this)->out) == 0) continue;

		XX=1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = qrecv(((P2 *)_this)->out, XX-1, 0, 0);
		(trpt+1)->bup.ovals[1] = qrecv(((P2 *)_this)->out, XX-1, 1, 0);
		(trpt+1)->bup.ovals[2] = qrecv(((P2 *)_this)->out, XX-1, 2, 0);
		;
		qrecv(((P2 *)_this)->out, XX-1, 0, 0);
		qrecv(((P2 *)_this)->out, XX-1, 1, 0);
		qrecv(((P2 *)_this)->out, XX-1, 2, 1);
		
#ifdef HAS_CODE
		if (readtrail && gui) {
			char simtmp[32];
			sprintf(simvals, "%d?", ((P2 *)_this)->out);
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		}
#endif
		;
		_m = 4; goto P999; /* 0 */
	case 29: // STATE 47 - prov.pml:52 - [(empty(out))] (67:0:4 - 1)
		IfNotBlocked
		reached[2][47] = 1;
		if (!((q_len(((P2 *)_this)->out)==0)))
			continue;
		/* merge: goto :b8(67, 48, 67) */
		reached[2][48] = 1;
		;
		/* merge: r = 0(67, 53, 67) */
		reached[2][53] = 1;
		(trpt+1)->bup.ovals = grab_ints(4);
		(trpt+1)->bup.ovals[0] = ((int)((P2 *)_this)->r);
		((P2 *)_this)->r = 0;
#ifdef VAR_RANGES
		logval("provisioner:r", ((int)((P2 *)_this)->r));
#endif
		;
		/* merge: e = 0(67, 54, 67) */
		reached[2][54] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P2 *)_this)->e);
		((P2 *)_this)->e = 0;
#ifdef VAR_RANGES
		logval("provisioner:e", ((int)((P2 *)_this)->e));
#endif
		;
		/* merge: a = 0(67, 55, 67) */
		reached[2][55] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P2 *)_this)->a);
		((P2 *)_this)->a = 0;
#ifdef VAR_RANGES
		logval("provisioner:a", ((int)((P2 *)_this)->a));
#endif
		;
		/* merge: d = 0(67, 56, 67) */
		reached[2][56] = 1;
		(trpt+1)->bup.ovals[3] = ((int)((P2 *)_this)->d);
		((P2 *)_this)->d = 0;
#ifdef VAR_RANGES
		logval("provisioner:d", ((int)((P2 *)_this)->d));
#endif
		;
		_m = 3; goto P999; /* 5 */
	case 30: // STATE 53 - prov.pml:104 - [r = 0] (0:67:4 - 3)
		IfNotBlocked
		reached[2][53] = 1;
		(trpt+1)->bup.ovals = grab_ints(4);
		(trpt+1)->bup.ovals[0] = ((int)((P2 *)_this)->r);
		((P2 *)_this)->r = 0;
#ifdef VAR_RANGES
		logval("provisioner:r", ((int)((P2 *)_this)->r));
#endif
		;
		/* merge: e = 0(67, 54, 67) */
		reached[2][54] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P2 *)_this)->e);
		((P2 *)_this)->e = 0;
#ifdef VAR_RANGES
		logval("provisioner:e", ((int)((P2 *)_this)->e));
#endif
		;
		/* merge: a = 0(67, 55, 67) */
		reached[2][55] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P2 *)_this)->a);
		((P2 *)_this)->a = 0;
#ifdef VAR_RANGES
		logval("provisioner:a", ((int)((P2 *)_this)->a));
#endif
		;
		/* merge: d = 0(67, 56, 67) */
		reached[2][56] = 1;
		(trpt+1)->bup.ovals[3] = ((int)((P2 *)_this)->d);
		((P2 *)_this)->d = 0;
#ifdef VAR_RANGES
		logval("provisioner:d", ((int)((P2 *)_this)->d));
#endif
		;
		_m = 3; goto P999; /* 3 */
	case 31: // STATE 57 - prov.pml:105 - [((owner==me))] (65:0:1 - 1)
		IfNotBlocked
		reached[2][57] = 1;
		if (!((((int)now.owner)==((int)((P2 *)_this)->me))))
			continue;
		/* merge: epoch = (epoch+1)(0, 58, 65) */
		reached[2][58] = 1;
		(trpt+1)->bup.oval = ((int)now.epoch);
		now.epoch = (((int)now.epoch)+1);
#ifdef VAR_RANGES
		logval("epoch", ((int)now.epoch));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 32: // STATE 59 - prov.pml:53 - [inflight = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[2][59] = 1;
		(trpt+1)->bup.oval = ((int)now.inflight);
		now.inflight = 0;
#ifdef VAR_RANGES
		logval("inflight", ((int)now.inflight));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 33: // STATE 60 - prov.pml:53 - [(1)] (111:0:1 - 1)
		IfNotBlocked
		reached[2][60] = 1;
		if (!(1))
			continue;
		/* merge: sent = 0(111, 61, 111) */
		reached[2][61] = 1;
		(trpt+1)->bup.oval = ((int)now.sent);
		now.sent = 0;
#ifdef VAR_RANGES
		logval("sent", ((int)now.sent));
#endif
		;
		/* merge: .(goto)(111, 64, 111) */
		reached[2][64] = 1;
		;
		/* merge: .(goto)(111, 68, 111) */
		reached[2][68] = 1;
		;
		/* merge: .(goto)(0, 72, 111) */
		reached[2][72] = 1;
		;
		/* merge: .(goto)(0, 110, 111) */
		reached[2][110] = 1;
		;
		/* merge: .(goto)(0, 112, 111) */
		reached[2][112] = 1;
		;
		_m = 3; goto P999; /* 6 */
	case 34: // STATE 64 - prov.pml:53 - [.(goto)] (0:111:0 - 2)
		IfNotBlocked
		reached[2][64] = 1;
		;
		/* merge: .(goto)(111, 68, 111) */
		reached[2][68] = 1;
		;
		/* merge: .(goto)(0, 72, 111) */
		reached[2][72] = 1;
		;
		/* merge: .(goto)(0, 110, 111) */
		reached[2][110] = 1;
		;
		/* merge: .(goto)(0, 112, 111) */
		reached[2][112] = 1;
		;
		_m = 3; goto P999; /* 4 */
	case 35: // STATE 68 - prov.pml:106 - [.(goto)] (0:111:0 - 2)
		IfNotBlocked
		reached[2][68] = 1;
		;
		/* merge: .(goto)(0, 72, 111) */
		reached[2][72] = 1;
		;
		/* merge: .(goto)(0, 110, 111) */
		reached[2][110] = 1;
		;
		/* merge: .(goto)(0, 112, 111) */
		reached[2][112] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 36: // STATE 73 - prov.pml:117 - [((deaths>0))] (0:0:0 - 1)
		IfNotBlocked
		reached[2][73] = 1;
		if (!((((int)now.deaths)>0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 37: // STATE 74 - prov.pml:104 - [deaths = (deaths-1)] (0:0:1 - 1)
		IfNotBlocked
		reached[2][74] = 1;
		(trpt+1)->bup.oval = ((int)now.deaths);
		now.deaths = (((int)now.deaths)-1);
#ifdef VAR_RANGES
		logval("deaths", ((int)now.deaths));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 38: // STATE 75 - prov.pml:52 - [(nempty(in))] (0:0:0 - 1)
		IfNotBlocked
		reached[2][75] = 1;
		if (!((q_len(((P2 *)_this)->in)>0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 39: // STATE 76 - prov.pml:52 - [in?_,_,_] (0:0:3 - 1)
		reached[2][76] = 1;
		if (q_len(((P2 *)_this)->in) == 0) continue;

		XX=1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = qrecv(((P2 *)_this)->in, XX-1, 0, 0);
		(trpt+1)->bup.ovals[1] = qrecv(((P2 *)_this)->in, XX-1, 1, 0);
		(trpt+1)->bup.ovals[2] = qrecv(((P2 *)_this)->in, XX-1, 2, 0);
		;
		qrecv(((P2 *)_this)->in, XX-1, 0, 0);
		qrecv(((P2 *)_this)->in, XX-1, 1, 0);
		qrecv(((P2 *)_this)->in, XX-1, 2, 1);
		
#ifdef HAS_CODE
		if (readtrail && gui) {
			char simtmp[32];
			sprintf(simvals, "%d?", ((P2 *)_this)->in);
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		}
#endif
		;
		_m = 4; goto P999; /* 0 */
	case 40: // STATE 77 - prov.pml:52 - [(empty(in))] (0:0:0 - 1)
		IfNotBlocked
		reached[2][77] = 1;
		if (!((q_len(((P2 *)_this)->in)==0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 41: // STATE 83 - prov.pml:52 - [(nempty(out))] (0:0:0 - 1)
		IfNotBlocked
		reached[2][83] = 1;
		if (!((q_len(((P2 *)_this)->out)>0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 42: // STATE 84 - prov.pml:52 - [out?_,_,_] (0:0:3 - 1)
		reached[2][84] = 1;
		if (q_len(((P2 *)_this)->out) == 0) continue;

		XX=1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = qrecv(((P2 *)_this)->out, XX-1, 0, 0);
		(trpt+1)->bup.ovals[1] = qrecv(((P2 *)_this)->out, XX-1, 1, 0);
		(trpt+1)->bup.ovals[2] = qrecv(((P2 *)_this)->out, XX-1, 2, 0);
		;
		qrecv(((P2 *)_this)->out, XX-1, 0, 0);
		qrecv(((P2 *)_this)->out, XX-1, 1, 0);
		qrecv(((P2 *)_this)->out, XX-1, 2, 1);
		
#ifdef HAS_CODE
		if (readtrail && gui) {
			char simtmp[32];
			sprintf(simvals, "%d?", ((P2 *)_this)->out);
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		}
#endif
		;
		_m = 4; goto P999; /* 0 */
	case 43: // STATE 85 - prov.pml:52 - [(empty(out))] (105:0:4 - 1)
		IfNotBlocked
		reached[2][85] = 1;
		if (!((q_len(((P2 *)_this)->out)==0)))
			continue;
		/* merge: goto :b10(105, 86, 105) */
		reached[2][86] = 1;
		;
		/* merge: r = 0(105, 91, 105) */
		reached[2][91] = 1;
		(trpt+1)->bup.ovals = grab_ints(4);
		(trpt+1)->bup.ovals[0] = ((int)((P2 *)_this)->r);
		((P2 *)_this)->r = 0;
#ifdef VAR_RANGES
		logval("provisioner:r", ((int)((P2 *)_this)->r));
#endif
		;
		/* merge: e = 0(105, 92, 105) */
		reached[2][92] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P2 *)_this)->e);
		((P2 *)_this)->e = 0;
#ifdef VAR_RANGES
		logval("provisioner:e", ((int)((P2 *)_this)->e));
#endif
		;
		/* merge: a = 0(105, 93, 105) */
		reached[2][93] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P2 *)_this)->a);
		((P2 *)_this)->a = 0;
#ifdef VAR_RANGES
		logval("provisioner:a", ((int)((P2 *)_this)->a));
#endif
		;
		/* merge: d = 0(105, 94, 105) */
		reached[2][94] = 1;
		(trpt+1)->bup.ovals[3] = ((int)((P2 *)_this)->d);
		((P2 *)_this)->d = 0;
#ifdef VAR_RANGES
		logval("provisioner:d", ((int)((P2 *)_this)->d));
#endif
		;
		_m = 3; goto P999; /* 5 */
	case 44: // STATE 91 - prov.pml:104 - [r = 0] (0:105:4 - 3)
		IfNotBlocked
		reached[2][91] = 1;
		(trpt+1)->bup.ovals = grab_ints(4);
		(trpt+1)->bup.ovals[0] = ((int)((P2 *)_this)->r);
		((P2 *)_this)->r = 0;
#ifdef VAR_RANGES
		logval("provisioner:r", ((int)((P2 *)_this)->r));
#endif
		;
		/* merge: e = 0(105, 92, 105) */
		reached[2][92] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P2 *)_this)->e);
		((P2 *)_this)->e = 0;
#ifdef VAR_RANGES
		logval("provisioner:e", ((int)((P2 *)_this)->e));
#endif
		;
		/* merge: a = 0(105, 93, 105) */
		reached[2][93] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P2 *)_this)->a);
		((P2 *)_this)->a = 0;
#ifdef VAR_RANGES
		logval("provisioner:a", ((int)((P2 *)_this)->a));
#endif
		;
		/* merge: d = 0(105, 94, 105) */
		reached[2][94] = 1;
		(trpt+1)->bup.ovals[3] = ((int)((P2 *)_this)->d);
		((P2 *)_this)->d = 0;
#ifdef VAR_RANGES
		logval("provisioner:d", ((int)((P2 *)_this)->d));
#endif
		;
		_m = 3; goto P999; /* 3 */
	case 45: // STATE 95 - prov.pml:105 - [((owner==me))] (103:0:1 - 1)
		IfNotBlocked
		reached[2][95] = 1;
		if (!((((int)now.owner)==((int)((P2 *)_this)->me))))
			continue;
		/* merge: epoch = (epoch+1)(0, 96, 103) */
		reached[2][96] = 1;
		(trpt+1)->bup.oval = ((int)now.epoch);
		now.epoch = (((int)now.epoch)+1);
#ifdef VAR_RANGES
		logval("epoch", ((int)now.epoch));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 46: // STATE 97 - prov.pml:53 - [inflight = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[2][97] = 1;
		(trpt+1)->bup.oval = ((int)now.inflight);
		now.inflight = 0;
#ifdef VAR_RANGES
		logval("inflight", ((int)now.inflight));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 47: // STATE 98 - prov.pml:53 - [(1)] (111:0:1 - 1)
		IfNotBlocked
		reached[2][98] = 1;
		if (!(1))
			continue;
		/* merge: sent = 0(111, 99, 111) */
		reached[2][99] = 1;
		(trpt+1)->bup.oval = ((int)now.sent);
		now.sent = 0;
#ifdef VAR_RANGES
		logval("sent", ((int)now.sent));
#endif
		;
		/* merge: .(goto)(111, 102, 111) */
		reached[2][102] = 1;
		;
		/* merge: .(goto)(111, 106, 111) */
		reached[2][106] = 1;
		;
		/* merge: .(goto)(0, 110, 111) */
		reached[2][110] = 1;
		;
		/* merge: .(goto)(0, 112, 111) */
		reached[2][112] = 1;
		;
		_m = 3; goto P999; /* 5 */
	case 48: // STATE 102 - prov.pml:53 - [.(goto)] (0:111:0 - 2)
		IfNotBlocked
		reached[2][102] = 1;
		;
		/* merge: .(goto)(111, 106, 111) */
		reached[2][106] = 1;
		;
		/* merge: .(goto)(0, 110, 111) */
		reached[2][110] = 1;
		;
		/* merge: .(goto)(0, 112, 111) */
		reached[2][112] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 49: // STATE 106 - prov.pml:106 - [.(goto)] (0:111:0 - 2)
		IfNotBlocked
		reached[2][106] = 1;
		;
		/* merge: .(goto)(0, 110, 111) */
		reached[2][110] = 1;
		;
		/* merge: .(goto)(0, 112, 111) */
		reached[2][112] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 50: // STATE 114 - prov.pml:120 - [-end-] (0:0:0 - 1)
		IfNotBlocked
		reached[2][114] = 1;
		if (!delproc(1, II)) continue;
		_m = 3; goto P999; /* 0 */

		 /* PROC client */
	case 51: // STATE 1 - prov.pml:88 - [(((ops<4)&&(!(exists)||del)))] (7:0:1 - 1)
		IfNotBlocked
		reached[1][1] = 1;
		if (!(((((int)now.ops)<4)&&( !(((int)now.exists))||((int)now.del)))))
			continue;
		/* merge: ops = (ops+1)(0, 2, 7) */
		reached[1][2] = 1;
		(trpt+1)->bup.oval = ((int)now.ops);
		now.ops = (((int)now.ops)+1);
#ifdef VAR_RANGES
		logval("ops", ((int)now.ops));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 52: // STATE 4 - prov.pml:88 - [rev = (rev+1)] (0:17:6 - 1)
		IfNotBlocked
		reached[1][4] = 1;
		(trpt+1)->bup.ovals = grab_ints(6);
		(trpt+1)->bup.ovals[0] = ((int)now.rev);
		now.rev = (((int)now.rev)+1);
#ifdef VAR_RANGES
		logval("rev", ((int)now.rev));
#endif
		;
		/* merge: .(goto)(17, 8, 17) */
		reached[1][8] = 1;
		;
		/* merge: desired = rev(17, 9, 17) */
		reached[1][9] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.desired);
		now.desired = ((int)now.rev);
#ifdef VAR_RANGES
		logval("desired", ((int)now.desired));
#endif
		;
		/* merge: del = 0(17, 10, 17) */
		reached[1][10] = 1;
		(trpt+1)->bup.ovals[2] = ((int)now.del);
		now.del = 0;
#ifdef VAR_RANGES
		logval("del", ((int)now.del));
#endif
		;
		/* merge: exists = 1(17, 11, 17) */
		reached[1][11] = 1;
		(trpt+1)->bup.ovals[3] = ((int)now.exists);
		now.exists = 1;
#ifdef VAR_RANGES
		logval("exists", ((int)now.exists));
#endif
		;
		/* merge: ready = 0(17, 12, 17) */
		reached[1][12] = 1;
		(trpt+1)->bup.ovals[4] = ((int)now.ready);
		now.ready = 0;
#ifdef VAR_RANGES
		logval("ready", ((int)now.ready));
#endif
		;
		/* merge: wanted = 1(17, 13, 17) */
		reached[1][13] = 1;
		(trpt+1)->bup.ovals[5] = ((int)now.wanted);
		now.wanted = 1;
#ifdef VAR_RANGES
		logval("wanted", ((int)now.wanted));
#endif
		;
		_m = 3; goto P999; /* 6 */
	case 53: // STATE 6 - prov.pml:88 - [rev = 1] (0:17:6 - 1)
		IfNotBlocked
		reached[1][6] = 1;
		(trpt+1)->bup.ovals = grab_ints(6);
		(trpt+1)->bup.ovals[0] = ((int)now.rev);
		now.rev = 1;
#ifdef VAR_RANGES
		logval("rev", ((int)now.rev));
#endif
		;
		/* merge: .(goto)(17, 8, 17) */
		reached[1][8] = 1;
		;
		/* merge: desired = rev(17, 9, 17) */
		reached[1][9] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.desired);
		now.desired = ((int)now.rev);
#ifdef VAR_RANGES
		logval("desired", ((int)now.desired));
#endif
		;
		/* merge: del = 0(17, 10, 17) */
		reached[1][10] = 1;
		(trpt+1)->bup.ovals[2] = ((int)now.del);
		now.del = 0;
#ifdef VAR_RANGES
		logval("del", ((int)now.del));
#endif
		;
		/* merge: exists = 1(17, 11, 17) */
		reached[1][11] = 1;
		(trpt+1)->bup.ovals[3] = ((int)now.exists);
		now.exists = 1;
#ifdef VAR_RANGES
		logval("exists", ((int)now.exists));
#endif
		;
		/* merge: ready = 0(17, 12, 17) */
		reached[1][12] = 1;
		(trpt+1)->bup.ovals[4] = ((int)now.ready);
		now.ready = 0;
#ifdef VAR_RANGES
		logval("ready", ((int)now.ready));
#endif
		;
		/* merge: wanted = 1(17, 13, 17) */
		reached[1][13] = 1;
		(trpt+1)->bup.ovals[5] = ((int)now.wanted);
		now.wanted = 1;
#ifdef VAR_RANGES
		logval("wanted", ((int)now.wanted));
#endif
		;
		_m = 3; goto P999; /* 6 */
	case 54: // STATE 9 - prov.pml:89 - [desired = rev] (0:17:5 - 3)
		IfNotBlocked
		reached[1][9] = 1;
		(trpt+1)->bup.ovals = grab_ints(5);
		(trpt+1)->bup.ovals[0] = ((int)now.desired);
		now.desired = ((int)now.rev);
#ifdef VAR_RANGES
		logval("desired", ((int)now.desired));
#endif
		;
		/* merge: del = 0(17, 10, 17) */
		reached[1][10] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.del);
		now.del = 0;
#ifdef VAR_RANGES
		logval("del", ((int)now.del));
#endif
		;
		/* merge: exists = 1(17, 11, 17) */
		reached[1][11] = 1;
		(trpt+1)->bup.ovals[2] = ((int)now.exists);
		now.exists = 1;
#ifdef VAR_RANGES
		logval("exists", ((int)now.exists));
#endif
		;
		/* merge: ready = 0(17, 12, 17) */
		reached[1][12] = 1;
		(trpt+1)->bup.ovals[3] = ((int)now.ready);
		now.ready = 0;
#ifdef VAR_RANGES
		logval("ready", ((int)now.ready));
#endif
		;
		/* merge: wanted = 1(17, 13, 17) */
		reached[1][13] = 1;
		(trpt+1)->bup.ovals[4] = ((int)now.wanted);
		now.wanted = 1;
#ifdef VAR_RANGES
		logval("wanted", ((int)now.wanted));
#endif
		;
		_m = 3; goto P999; /* 4 */
	case 55: // STATE 14 - prov.pml:89 - [(!(0))] (34:0:1 - 1)
		IfNotBlocked
		reached[1][14] = 1;
		if (!( !(0)))
			continue;
		/* merge: inflight = 0(34, 15, 34) */
		reached[1][15] = 1;
		(trpt+1)->bup.oval = ((int)now.inflight);
		now.inflight = 0;
#ifdef VAR_RANGES
		logval("inflight", ((int)now.inflight));
#endif
		;
		/* merge: .(goto)(34, 18, 34) */
		reached[1][18] = 1;
		;
		/* merge: .(goto)(0, 35, 34) */
		reached[1][35] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 56: // STATE 18 - prov.pml:89 - [.(goto)] (0:34:0 - 2)
		IfNotBlocked
		reached[1][18] = 1;
		;
		/* merge: .(goto)(0, 35, 34) */
		reached[1][35] = 1;
		;
		_m = 3; goto P999; /* 1 */
	case 57: // STATE 20 - prov.pml:90 - [((((ops<4)&&exists)&&!(del)))] (34:0:4 - 1)
		IfNotBlocked
		reached[1][20] = 1;
		if (!((((((int)now.ops)<4)&&((int)now.exists))&& !(((int)now.del)))))
			continue;
		/* merge: ops = (ops+1)(34, 21, 34) */
		reached[1][21] = 1;
		(trpt+1)->bup.ovals = grab_ints(4);
		(trpt+1)->bup.ovals[0] = ((int)now.ops);
		now.ops = (((int)now.ops)+1);
#ifdef VAR_RANGES
		logval("ops", ((int)now.ops));
#endif
		;
		/* merge: rev = (rev+1)(34, 22, 34) */
		reached[1][22] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.rev);
		now.rev = (((int)now.rev)+1);
#ifdef VAR_RANGES
		logval("rev", ((int)now.rev));
#endif
		;
		/* merge: desired = rev(34, 23, 34) */
		reached[1][23] = 1;
		(trpt+1)->bup.ovals[2] = ((int)now.desired);
		now.desired = ((int)now.rev);
#ifdef VAR_RANGES
		logval("desired", ((int)now.desired));
#endif
		;
		/* merge: ready = 0(34, 24, 34) */
		reached[1][24] = 1;
		(trpt+1)->bup.ovals[3] = ((int)now.ready);
		now.ready = 0;
#ifdef VAR_RANGES
		logval("ready", ((int)now.ready));
#endif
		;
		/* merge: .(goto)(0, 35, 34) */
		reached[1][35] = 1;
		;
		_m = 3; goto P999; /* 5 */
	case 58: // STATE 26 - prov.pml:91 - [((((ops<4)&&exists)&&!(del)))] (34:0:6 - 1)
		IfNotBlocked
		reached[1][26] = 1;
		if (!((((((int)now.ops)<4)&&((int)now.exists))&& !(((int)now.del)))))
			continue;
		/* merge: ops = (ops+1)(34, 27, 34) */
		reached[1][27] = 1;
		(trpt+1)->bup.ovals = grab_ints(6);
		(trpt+1)->bup.ovals[0] = ((int)now.ops);
		now.ops = (((int)now.ops)+1);
#ifdef VAR_RANGES
		logval("ops", ((int)now.ops));
#endif
		;
		/* merge: rev = (rev+1)(34, 28, 34) */
		reached[1][28] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.rev);
		now.rev = (((int)now.rev)+1);
#ifdef VAR_RANGES
		logval("rev", ((int)now.rev));
#endif
		;
		/* merge: desired = rev(34, 29, 34) */
		reached[1][29] = 1;
		(trpt+1)->bup.ovals[2] = ((int)now.desired);
		now.desired = ((int)now.rev);
#ifdef VAR_RANGES
		logval("desired", ((int)now.desired));
#endif
		;
		/* merge: del = 1(34, 30, 34) */
		reached[1][30] = 1;
		(trpt+1)->bup.ovals[3] = ((int)now.del);
		now.del = 1;
#ifdef VAR_RANGES
		logval("del", ((int)now.del));
#endif
		;
		/* merge: ready = 0(34, 31, 34) */
		reached[1][31] = 1;
		(trpt+1)->bup.ovals[4] = ((int)now.ready);
		now.ready = 0;
#ifdef VAR_RANGES
		logval("ready", ((int)now.ready));
#endif
		;
		/* merge: wanted = 0(34, 32, 34) */
		reached[1][32] = 1;
		(trpt+1)->bup.ovals[5] = ((int)now.wanted);
		now.wanted = 0;
#ifdef VAR_RANGES
		logval("wanted", ((int)now.wanted));
#endif
		;
		/* merge: .(goto)(0, 35, 34) */
		reached[1][35] = 1;
		;
		_m = 3; goto P999; /* 7 */
	case 59: // STATE 37 - prov.pml:93 - [-end-] (0:0:0 - 1)
		IfNotBlocked
		reached[1][37] = 1;
		if (!delproc(1, II)) continue;
		_m = 3; goto P999; /* 0 */

		 /* PROC server */
	case 60: // STATE 1 - prov.pml:75 - [((((((exists&&!((ready&&(observed==desired))))&&(inflight==0))&&(sent!=desired))&&(owner==0))&&nfull(ev0)))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][1] = 1;
		if (!((((((((int)now.exists)&& !((((int)now.ready)&&(((int)now.observed)==((int)now.desired)))))&&(((int)now.inflight)==0))&&(((int)now.sent)!=((int)now.desired)))&&(((int)now.owner)==0))&&(!q_full(now.ev0)))))
			continue;
		_m = 3; goto P999; /* 0 */
	case 61: // STATE 2 - prov.pml:75 - [ev0!desired,del,epoch] (7:0:1 - 1)
		IfNotBlocked
		reached[0][2] = 1;
		if (q_full(now.ev0))
			continue;
#ifdef HAS_CODE
		if (readtrail && gui) {
			char simtmp[64];
			sprintf(simvals, "%d!", now.ev0);
		sprintf(simtmp, "%d", ((int)now.desired)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)now.del)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)now.epoch)); strcat(simvals, simtmp);		}
#endif
		
		qsend(now.ev0, 0, ((int)now.desired), ((int)now.del), ((int)now.epoch), 3);
		/* merge: inflight = desired(0, 3, 7) */
		reached[0][3] = 1;
		(trpt+1)->bup.oval = ((int)now.inflight);
		now.inflight = ((int)now.desired);
#ifdef VAR_RANGES
		logval("inflight", ((int)now.inflight));
#endif
		;
		_m = 2; goto P999; /* 1 */
	case 62: // STATE 4 - prov.pml:75 - [(!(1))] (142:0:1 - 1)
		IfNotBlocked
		reached[0][4] = 1;
		if (!( !(1)))
			continue;
		/* merge: sent = desired(142, 5, 142) */
		reached[0][5] = 1;
		(trpt+1)->bup.oval = ((int)now.sent);
		now.sent = ((int)now.desired);
#ifdef VAR_RANGES
		logval("sent", ((int)now.sent));
#endif
		;
		/* merge: .(goto)(142, 8, 142) */
		reached[0][8] = 1;
		;
		/* merge: .(goto)(0, 143, 142) */
		reached[0][143] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 63: // STATE 8 - prov.pml:75 - [.(goto)] (0:142:0 - 2)
		IfNotBlocked
		reached[0][8] = 1;
		;
		/* merge: .(goto)(0, 143, 142) */
		reached[0][143] = 1;
		;
		_m = 3; goto P999; /* 1 */
	case 64: // STATE 10 - prov.pml:76 - [((((((exists&&!((ready&&(observed==desired))))&&(inflight==0))&&(sent!=desired))&&(owner==1))&&nfull(ev1)))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][10] = 1;
		if (!((((((((int)now.exists)&& !((((int)now.ready)&&(((int)now.observed)==((int)now.desired)))))&&(((int)now.inflight)==0))&&(((int)now.sent)!=((int)now.desired)))&&(((int)now.owner)==1))&&(!q_full(now.ev1)))))
			continue;
		_m = 3; goto P999; /* 0 */
	case 65: // STATE 11 - prov.pml:76 - [ev1!desired,del,epoch] (16:0:1 - 1)
		IfNotBlocked
		reached[0][11] = 1;
		if (q_full(now.ev1))
			continue;
#ifdef HAS_CODE
		if (readtrail && gui) {
			char simtmp[64];
			sprintf(simvals, "%d!", now.ev1);
		sprintf(simtmp, "%d", ((int)now.desired)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)now.del)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)now.epoch)); strcat(simvals, simtmp);		}
#endif
		
		qsend(now.ev1, 0, ((int)now.desired), ((int)now.del), ((int)now.epoch), 3);
		/* merge: inflight = desired(0, 12, 16) */
		reached[0][12] = 1;
		(trpt+1)->bup.oval = ((int)now.inflight);
		now.inflight = ((int)now.desired);
#ifdef VAR_RANGES
		logval("inflight", ((int)now.inflight));
#endif
		;
		_m = 2; goto P999; /* 1 */
	case 66: // STATE 13 - prov.pml:76 - [(!(1))] (142:0:1 - 1)
		IfNotBlocked
		reached[0][13] = 1;
		if (!( !(1)))
			continue;
		/* merge: sent = desired(142, 14, 142) */
		reached[0][14] = 1;
		(trpt+1)->bup.oval = ((int)now.sent);
		now.sent = ((int)now.desired);
#ifdef VAR_RANGES
		logval("sent", ((int)now.sent));
#endif
		;
		/* merge: .(goto)(142, 17, 142) */
		reached[0][17] = 1;
		;
		/* merge: .(goto)(0, 143, 142) */
		reached[0][143] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 67: // STATE 17 - prov.pml:76 - [.(goto)] (0:142:0 - 2)
		IfNotBlocked
		reached[0][17] = 1;
		;
		/* merge: .(goto)(0, 143, 142) */
		reached[0][143] = 1;
		;
		_m = 3; goto P999; /* 1 */
	case 68: // STATE 19 - prov.pml:77 - [ak0?r,d,e] (0:0:3 - 1)
		reached[0][19] = 1;
		if (q_len(now.ak0) == 0) continue;

		XX=1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)((P0 *)_this)->r);
		(trpt+1)->bup.ovals[1] = ((int)((P0 *)_this)->d);
		(trpt+1)->bup.ovals[2] = ((int)((P0 *)_this)->e);
		;
		((P0 *)_this)->r = qrecv(now.ak0, XX-1, 0, 0);
#ifdef VAR_RANGES
		logval("server:r", ((int)((P0 *)_this)->r));
#endif
		;
		((P0 *)_this)->d = qrecv(now.ak0, XX-1, 1, 0);
#ifdef VAR_RANGES
		logval("server:d", ((int)((P0 *)_this)->d));
#endif
		;
		((P0 *)_this)->e = qrecv(now.ak0, XX-1, 2, 1);
#ifdef VAR_RANGES
		logval("server:e", ((int)((P0 *)_this)->e));
#endif
		;
		
#ifdef HAS_CODE
		if (readtrail && gui) {
			char simtmp[32];
			sprintf(simvals, "%d?", now.ak0);
		sprintf(simtmp, "%d", ((int)((P0 *)_this)->r)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)((P0 *)_this)->d)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)((P0 *)_this)->e)); strcat(simvals, simtmp);		}
#endif
		;
		_m = 4; goto P999; /* 0 */
	case 69: // STATE 20 - prov.pml:58 - [((1&&(e!=epoch)))] (0:0:1 - 1)
		IfNotBlocked
		reached[0][20] = 1;
		if (!((1&&(((int)((P0 *)_this)->e)!=((int)now.epoch)))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: e */  (trpt+1)->bup.oval = ((P0 *)_this)->e;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P0 *)_this)->e = 0;
		_m = 3; goto P999; /* 0 */
	case 70: // STATE 21 - prov.pml:58 - [(1)] (142:0:3 - 1)
		IfNotBlocked
		reached[0][21] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(142, 47, 142) */
		reached[0][47] = 1;
		;
		/* merge: r = 0(142, 49, 142) */
		reached[0][49] = 1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)((P0 *)_this)->r);
		((P0 *)_this)->r = 0;
#ifdef VAR_RANGES
		logval("server:r", ((int)((P0 *)_this)->r));
#endif
		;
		/* merge: d = 0(142, 50, 142) */
		reached[0][50] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P0 *)_this)->d);
		((P0 *)_this)->d = 0;
#ifdef VAR_RANGES
		logval("server:d", ((int)((P0 *)_this)->d));
#endif
		;
		/* merge: e = 0(142, 51, 142) */
		reached[0][51] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P0 *)_this)->e);
		((P0 *)_this)->e = 0;
#ifdef VAR_RANGES
		logval("server:e", ((int)((P0 *)_this)->e));
#endif
		;
		/* merge: .(goto)(0, 143, 142) */
		reached[0][143] = 1;
		;
		_m = 3; goto P999; /* 5 */
	case 71: // STATE 23 - prov.pml:60 - [((r>=inflight))] (44:0:1 - 1)
		IfNotBlocked
		reached[0][23] = 1;
		if (!((((int)((P0 *)_this)->r)>=((int)now.inflight))))
			continue;
		/* merge: inflight = 0(0, 24, 44) */
		reached[0][24] = 1;
		(trpt+1)->bup.oval = ((int)now.inflight);
		now.inflight = 0;
#ifdef VAR_RANGES
		logval("inflight", ((int)now.inflight));
#endif
		;
		/* merge: .(goto)(0, 27, 44) */
		reached[0][27] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 72: // STATE 28 - prov.pml:62 - [((exists&&(((r==desired)||(!(1)&&(d==del)))||(!(1)&&d))))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][28] = 1;
		if (!((((int)now.exists)&&(((((int)((P0 *)_this)->r)==((int)now.desired))||( !(1)&&(((int)((P0 *)_this)->d)==((int)now.del))))||( !(1)&&((int)((P0 *)_this)->d))))))
			continue;
		_m = 3; goto P999; /* 0 */
	case 73: // STATE 29 - prov.pml:63 - [((d&&(del||!(1))))] (142:0:6 - 1)
		IfNotBlocked
		reached[0][29] = 1;
		if (!((((int)((P0 *)_this)->d)&&(((int)now.del)|| !(1)))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: d */  (trpt+1)->bup.ovals = grab_ints(6);
		(trpt+1)->bup.ovals[0] = ((P0 *)_this)->d;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P0 *)_this)->d = 0;
		/* merge: exists = 0(142, 30, 142) */
		reached[0][30] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.exists);
		now.exists = 0;
#ifdef VAR_RANGES
		logval("exists", ((int)now.exists));
#endif
		;
		/* merge: ready = 0(142, 31, 142) */
		reached[0][31] = 1;
		(trpt+1)->bup.ovals[2] = ((int)now.ready);
		now.ready = 0;
#ifdef VAR_RANGES
		logval("ready", ((int)now.ready));
#endif
		;
		/* merge: .(goto)(142, 42, 142) */
		reached[0][42] = 1;
		;
		/* merge: .(goto)(142, 45, 142) */
		reached[0][45] = 1;
		;
		/* merge: .(goto)(142, 47, 142) */
		reached[0][47] = 1;
		;
		/* merge: r = 0(142, 49, 142) */
		reached[0][49] = 1;
		(trpt+1)->bup.ovals[3] = ((int)((P0 *)_this)->r);
		((P0 *)_this)->r = 0;
#ifdef VAR_RANGES
		logval("server:r", ((int)((P0 *)_this)->r));
#endif
		;
		/* merge: d = 0(142, 50, 142) */
		reached[0][50] = 1;
		(trpt+1)->bup.ovals[4] = ((int)((P0 *)_this)->d);
		((P0 *)_this)->d = 0;
#ifdef VAR_RANGES
		logval("server:d", ((int)((P0 *)_this)->d));
#endif
		;
		/* merge: e = 0(142, 51, 142) */
		reached[0][51] = 1;
		(trpt+1)->bup.ovals[5] = ((int)((P0 *)_this)->e);
		((P0 *)_this)->e = 0;
#ifdef VAR_RANGES
		logval("server:e", ((int)((P0 *)_this)->e));
#endif
		;
		/* merge: .(goto)(0, 143, 142) */
		reached[0][143] = 1;
		;
		_m = 3; goto P999; /* 9 */
	case 74: // STATE 32 - prov.pml:64 - [((!(d)&&!(del)))] (38:0:3 - 1)
		IfNotBlocked
		reached[0][32] = 1;
		if (!(( !(((int)((P0 *)_this)->d))&& !(((int)now.del)))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: d */  (trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((P0 *)_this)->d;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P0 *)_this)->d = 0;
		/* merge: observed = r(38, 33, 38) */
		reached[0][33] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.observed);
		now.observed = ((int)((P0 *)_this)->r);
#ifdef VAR_RANGES
		logval("observed", ((int)now.observed));
#endif
		;
		/* merge: ready = 1(38, 34, 38) */
		reached[0][34] = 1;
		(trpt+1)->bup.ovals[2] = ((int)now.ready);
		now.ready = 1;
#ifdef VAR_RANGES
		logval("ready", ((int)now.ready));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 75: // STATE 35 - prov.pml:64 - [(!(1))] (142:0:4 - 1)
		IfNotBlocked
		reached[0][35] = 1;
		if (!( !(1)))
			continue;
		/* merge: observed = desired(142, 36, 142) */
		reached[0][36] = 1;
		(trpt+1)->bup.ovals = grab_ints(4);
		(trpt+1)->bup.ovals[0] = ((int)now.observed);
		now.observed = ((int)now.desired);
#ifdef VAR_RANGES
		logval("observed", ((int)now.observed));
#endif
		;
		/* merge: .(goto)(142, 39, 142) */
		reached[0][39] = 1;
		;
		/* merge: .(goto)(142, 42, 142) */
		reached[0][42] = 1;
		;
		/* merge: .(goto)(142, 45, 142) */
		reached[0][45] = 1;
		;
		/* merge: .(goto)(142, 47, 142) */
		reached[0][47] = 1;
		;
		/* merge: r = 0(142, 49, 142) */
		reached[0][49] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P0 *)_this)->r);
		((P0 *)_this)->r = 0;
#ifdef VAR_RANGES
		logval("server:r", ((int)((P0 *)_this)->r));
#endif
		;
		/* merge: d = 0(142, 50, 142) */
		reached[0][50] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P0 *)_this)->d);
		((P0 *)_this)->d = 0;
#ifdef VAR_RANGES
		logval("server:d", ((int)((P0 *)_this)->d));
#endif
		;
		/* merge: e = 0(142, 51, 142) */
		reached[0][51] = 1;
		(trpt+1)->bup.ovals[3] = ((int)((P0 *)_this)->e);
		((P0 *)_this)->e = 0;
#ifdef VAR_RANGES
		logval("server:e", ((int)((P0 *)_this)->e));
#endif
		;
		/* merge: .(goto)(0, 143, 142) */
		reached[0][143] = 1;
		;
		_m = 3; goto P999; /* 9 */
	case 76: // STATE 49 - prov.pml:77 - [r = 0] (0:142:3 - 10)
		IfNotBlocked
		reached[0][49] = 1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)((P0 *)_this)->r);
		((P0 *)_this)->r = 0;
#ifdef VAR_RANGES
		logval("server:r", ((int)((P0 *)_this)->r));
#endif
		;
		/* merge: d = 0(142, 50, 142) */
		reached[0][50] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P0 *)_this)->d);
		((P0 *)_this)->d = 0;
#ifdef VAR_RANGES
		logval("server:d", ((int)((P0 *)_this)->d));
#endif
		;
		/* merge: e = 0(142, 51, 142) */
		reached[0][51] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P0 *)_this)->e);
		((P0 *)_this)->e = 0;
#ifdef VAR_RANGES
		logval("server:e", ((int)((P0 *)_this)->e));
#endif
		;
		/* merge: .(goto)(0, 143, 142) */
		reached[0][143] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 77: // STATE 53 - prov.pml:78 - [ak1?r,d,e] (0:0:3 - 1)
		reached[0][53] = 1;
		if (q_len(now.ak1) == 0) continue;

		XX=1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)((P0 *)_this)->r);
		(trpt+1)->bup.ovals[1] = ((int)((P0 *)_this)->d);
		(trpt+1)->bup.ovals[2] = ((int)((P0 *)_this)->e);
		;
		((P0 *)_this)->r = qrecv(now.ak1, XX-1, 0, 0);
#ifdef VAR_RANGES
		logval("server:r", ((int)((P0 *)_this)->r));
#endif
		;
		((P0 *)_this)->d = qrecv(now.ak1, XX-1, 1, 0);
#ifdef VAR_RANGES
		logval("server:d", ((int)((P0 *)_this)->d));
#endif
		;
		((P0 *)_this)->e = qrecv(now.ak1, XX-1, 2, 1);
#ifdef VAR_RANGES
		logval("server:e", ((int)((P0 *)_this)->e));
#endif
		;
		
#ifdef HAS_CODE
		if (readtrail && gui) {
			char simtmp[32];
			sprintf(simvals, "%d?", now.ak1);
		sprintf(simtmp, "%d", ((int)((P0 *)_this)->r)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)((P0 *)_this)->d)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)((P0 *)_this)->e)); strcat(simvals, simtmp);		}
#endif
		;
		_m = 4; goto P999; /* 0 */
	case 78: // STATE 54 - prov.pml:58 - [((1&&(e!=epoch)))] (0:0:1 - 1)
		IfNotBlocked
		reached[0][54] = 1;
		if (!((1&&(((int)((P0 *)_this)->e)!=((int)now.epoch)))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: e */  (trpt+1)->bup.oval = ((P0 *)_this)->e;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P0 *)_this)->e = 0;
		_m = 3; goto P999; /* 0 */
	case 79: // STATE 55 - prov.pml:58 - [(1)] (142:0:3 - 1)
		IfNotBlocked
		reached[0][55] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(142, 81, 142) */
		reached[0][81] = 1;
		;
		/* merge: r = 0(142, 83, 142) */
		reached[0][83] = 1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)((P0 *)_this)->r);
		((P0 *)_this)->r = 0;
#ifdef VAR_RANGES
		logval("server:r", ((int)((P0 *)_this)->r));
#endif
		;
		/* merge: d = 0(142, 84, 142) */
		reached[0][84] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P0 *)_this)->d);
		((P0 *)_this)->d = 0;
#ifdef VAR_RANGES
		logval("server:d", ((int)((P0 *)_this)->d));
#endif
		;
		/* merge: e = 0(142, 85, 142) */
		reached[0][85] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P0 *)_this)->e);
		((P0 *)_this)->e = 0;
#ifdef VAR_RANGES
		logval("server:e", ((int)((P0 *)_this)->e));
#endif
		;
		/* merge: .(goto)(0, 143, 142) */
		reached[0][143] = 1;
		;
		_m = 3; goto P999; /* 5 */
	case 80: // STATE 57 - prov.pml:60 - [((r>=inflight))] (78:0:1 - 1)
		IfNotBlocked
		reached[0][57] = 1;
		if (!((((int)((P0 *)_this)->r)>=((int)now.inflight))))
			continue;
		/* merge: inflight = 0(0, 58, 78) */
		reached[0][58] = 1;
		(trpt+1)->bup.oval = ((int)now.inflight);
		now.inflight = 0;
#ifdef VAR_RANGES
		logval("inflight", ((int)now.inflight));
#endif
		;
		/* merge: .(goto)(0, 61, 78) */
		reached[0][61] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 81: // STATE 62 - prov.pml:62 - [((exists&&(((r==desired)||(!(1)&&(d==del)))||(!(1)&&d))))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][62] = 1;
		if (!((((int)now.exists)&&(((((int)((P0 *)_this)->r)==((int)now.desired))||( !(1)&&(((int)((P0 *)_this)->d)==((int)now.del))))||( !(1)&&((int)((P0 *)_this)->d))))))
			continue;
		_m = 3; goto P999; /* 0 */
	case 82: // STATE 63 - prov.pml:63 - [((d&&(del||!(1))))] (142:0:6 - 1)
		IfNotBlocked
		reached[0][63] = 1;
		if (!((((int)((P0 *)_this)->d)&&(((int)now.del)|| !(1)))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: d */  (trpt+1)->bup.ovals = grab_ints(6);
		(trpt+1)->bup.ovals[0] = ((P0 *)_this)->d;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P0 *)_this)->d = 0;
		/* merge: exists = 0(142, 64, 142) */
		reached[0][64] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.exists);
		now.exists = 0;
#ifdef VAR_RANGES
		logval("exists", ((int)now.exists));
#endif
		;
		/* merge: ready = 0(142, 65, 142) */
		reached[0][65] = 1;
		(trpt+1)->bup.ovals[2] = ((int)now.ready);
		now.ready = 0;
#ifdef VAR_RANGES
		logval("ready", ((int)now.ready));
#endif
		;
		/* merge: .(goto)(142, 76, 142) */
		reached[0][76] = 1;
		;
		/* merge: .(goto)(142, 79, 142) */
		reached[0][79] = 1;
		;
		/* merge: .(goto)(142, 81, 142) */
		reached[0][81] = 1;
		;
		/* merge: r = 0(142, 83, 142) */
		reached[0][83] = 1;
		(trpt+1)->bup.ovals[3] = ((int)((P0 *)_this)->r);
		((P0 *)_this)->r = 0;
#ifdef VAR_RANGES
		logval("server:r", ((int)((P0 *)_this)->r));
#endif
		;
		/* merge: d = 0(142, 84, 142) */
		reached[0][84] = 1;
		(trpt+1)->bup.ovals[4] = ((int)((P0 *)_this)->d);
		((P0 *)_this)->d = 0;
#ifdef VAR_RANGES
		logval("server:d", ((int)((P0 *)_this)->d));
#endif
		;
		/* merge: e = 0(142, 85, 142) */
		reached[0][85] = 1;
		(trpt+1)->bup.ovals[5] = ((int)((P0 *)_this)->e);
		((P0 *)_this)->e = 0;
#ifdef VAR_RANGES
		logval("server:e", ((int)((P0 *)_this)->e));
#endif
		;
		/* merge: .(goto)(0, 143, 142) */
		reached[0][143] = 1;
		;
		_m = 3; goto P999; /* 9 */
	case 83: // STATE 66 - prov.pml:64 - [((!(d)&&!(del)))] (72:0:3 - 1)
		IfNotBlocked
		reached[0][66] = 1;
		if (!(( !(((int)((P0 *)_this)->d))&& !(((int)now.del)))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: d */  (trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((P0 *)_this)->d;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P0 *)_this)->d = 0;
		/* merge: observed = r(72, 67, 72) */
		reached[0][67] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.observed);
		now.observed = ((int)((P0 *)_this)->r);
#ifdef VAR_RANGES
		logval("observed", ((int)now.observed));
#endif
		;
		/* merge: ready = 1(72, 68, 72) */
		reached[0][68] = 1;
		(trpt+1)->bup.ovals[2] = ((int)now.ready);
		now.ready = 1;
#ifdef VAR_RANGES
		logval("ready", ((int)now.ready));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 84: // STATE 69 - prov.pml:64 - [(!(1))] (142:0:4 - 1)
		IfNotBlocked
		reached[0][69] = 1;
		if (!( !(1)))
			continue;
		/* merge: observed = desired(142, 70, 142) */
		reached[0][70] = 1;
		(trpt+1)->bup.ovals = grab_ints(4);
		(trpt+1)->bup.ovals[0] = ((int)now.observed);
		now.observed = ((int)now.desired);
#ifdef VAR_RANGES
		logval("observed", ((int)now.observed));
#endif
		;
		/* merge: .(goto)(142, 73, 142) */
		reached[0][73] = 1;
		;
		/* merge: .(goto)(142, 76, 142) */
		reached[0][76] = 1;
		;
		/* merge: .(goto)(142, 79, 142) */
		reached[0][79] = 1;
		;
		/* merge: .(goto)(142, 81, 142) */
		reached[0][81] = 1;
		;
		/* merge: r = 0(142, 83, 142) */
		reached[0][83] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P0 *)_this)->r);
		((P0 *)_this)->r = 0;
#ifdef VAR_RANGES
		logval("server:r", ((int)((P0 *)_this)->r));
#endif
		;
		/* merge: d = 0(142, 84, 142) */
		reached[0][84] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P0 *)_this)->d);
		((P0 *)_this)->d = 0;
#ifdef VAR_RANGES
		logval("server:d", ((int)((P0 *)_this)->d));
#endif
		;
		/* merge: e = 0(142, 85, 142) */
		reached[0][85] = 1;
		(trpt+1)->bup.ovals[3] = ((int)((P0 *)_this)->e);
		((P0 *)_this)->e = 0;
#ifdef VAR_RANGES
		logval("server:e", ((int)((P0 *)_this)->e));
#endif
		;
		/* merge: .(goto)(0, 143, 142) */
		reached[0][143] = 1;
		;
		_m = 3; goto P999; /* 9 */
	case 85: // STATE 83 - prov.pml:78 - [r = 0] (0:142:3 - 10)
		IfNotBlocked
		reached[0][83] = 1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)((P0 *)_this)->r);
		((P0 *)_this)->r = 0;
#ifdef VAR_RANGES
		logval("server:r", ((int)((P0 *)_this)->r));
#endif
		;
		/* merge: d = 0(142, 84, 142) */
		reached[0][84] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P0 *)_this)->d);
		((P0 *)_this)->d = 0;
#ifdef VAR_RANGES
		logval("server:d", ((int)((P0 *)_this)->d));
#endif
		;
		/* merge: e = 0(142, 85, 142) */
		reached[0][85] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P0 *)_this)->e);
		((P0 *)_this)->e = 0;
#ifdef VAR_RANGES
		logval("server:e", ((int)((P0 *)_this)->e));
#endif
		;
		/* merge: .(goto)(0, 143, 142) */
		reached[0][143] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 86: // STATE 87 - prov.pml:80 - [((takeovers>0))] (97:0:3 - 1)
		IfNotBlocked
		reached[0][87] = 1;
		if (!((((int)now.takeovers)>0)))
			continue;
		/* merge: takeovers = (takeovers-1)(97, 88, 97) */
		reached[0][88] = 1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)now.takeovers);
		now.takeovers = (((int)now.takeovers)-1);
#ifdef VAR_RANGES
		logval("takeovers", ((int)now.takeovers));
#endif
		;
		/* merge: owner = (1-owner)(97, 89, 97) */
		reached[0][89] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.owner);
		now.owner = (1-((int)now.owner));
#ifdef VAR_RANGES
		logval("owner", ((int)now.owner));
#endif
		;
		/* merge: epoch = (epoch+1)(97, 90, 97) */
		reached[0][90] = 1;
		(trpt+1)->bup.ovals[2] = ((int)now.epoch);
		now.epoch = (((int)now.epoch)+1);
#ifdef VAR_RANGES
		logval("epoch", ((int)now.epoch));
#endif
		;
		_m = 3; goto P999; /* 3 */
	case 87: // STATE 91 - prov.pml:53 - [inflight = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[0][91] = 1;
		(trpt+1)->bup.oval = ((int)now.inflight);
		now.inflight = 0;
#ifdef VAR_RANGES
		logval("inflight", ((int)now.inflight));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 88: // STATE 92 - prov.pml:53 - [(1)] (142:0:1 - 1)
		IfNotBlocked
		reached[0][92] = 1;
		if (!(1))
			continue;
		/* merge: sent = 0(142, 93, 142) */
		reached[0][93] = 1;
		(trpt+1)->bup.oval = ((int)now.sent);
		now.sent = 0;
#ifdef VAR_RANGES
		logval("sent", ((int)now.sent));
#endif
		;
		/* merge: .(goto)(142, 96, 142) */
		reached[0][96] = 1;
		;
		/* merge: .(goto)(0, 143, 142) */
		reached[0][143] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 89: // STATE 96 - prov.pml:53 - [.(goto)] (0:142:0 - 2)
		IfNotBlocked
		reached[0][96] = 1;
		;
		/* merge: .(goto)(0, 143, 142) */
		reached[0][143] = 1;
		;
		_m = 3; goto P999; /* 1 */
	case 90: // STATE 99 - prov.pml:81 - [((crashes>0))] (108:0:1 - 1)
		IfNotBlocked
		reached[0][99] = 1;
		if (!((((int)now.crashes)>0)))
			continue;
		/* merge: crashes = (crashes-1)(0, 100, 108) */
		reached[0][100] = 1;
		(trpt+1)->bup.oval = ((int)now.crashes);
		now.crashes = (((int)now.crashes)-1);
#ifdef VAR_RANGES
		logval("crashes", ((int)now.crashes));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 91: // STATE 101 - prov.pml:52 - [(nempty(ev0))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][101] = 1;
		if (!((q_len(now.ev0)>0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 92: // STATE 102 - prov.pml:52 - [ev0?_,_,_] (0:0:3 - 1)
		reached[0][102] = 1;
		if (q_len(now.ev0) == 0) continue;

		XX=1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = qrecv(now.ev0, XX-1, 0, 0);
		(trpt+1)->bup.ovals[1] = qrecv(now.ev0, XX-1, 1, 0);
		(trpt+1)->bup.ovals[2] = qrecv(now.ev0, XX-1, 2, 0);
		;
		qrecv(now.ev0, XX-1, 0, 0);
		qrecv(now.ev0, XX-1, 1, 0);
		qrecv(now.ev0, XX-1, 2, 1);
		
#ifdef HAS_CODE
		if (readtrail && gui) {
			char simtmp[32];
			sprintf(simvals, "%d?", now.ev0);
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		}
#endif
		;
		_m = 4; goto P999; /* 0 */
	case 93: // STATE 103 - prov.pml:52 - [(empty(ev0))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][103] = 1;
		if (!((q_len(now.ev0)==0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 94: // STATE 109 - prov.pml:52 - [(nempty(ev1))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][109] = 1;
		if (!((q_len(now.ev1)>0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 95: // STATE 110 - prov.pml:52 - [ev1?_,_,_] (0:0:3 - 1)
		reached[0][110] = 1;
		if (q_len(now.ev1) == 0) continue;

		XX=1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = qrecv(now.ev1, XX-1, 0, 0);
		(trpt+1)->bup.ovals[1] = qrecv(now.ev1, XX-1, 1, 0);
		(trpt+1)->bup.ovals[2] = qrecv(now.ev1, XX-1, 2, 0);
		;
		qrecv(now.ev1, XX-1, 0, 0);
		qrecv(now.ev1, XX-1, 1, 0);
		qrecv(now.ev1, XX-1, 2, 1);
		
#ifdef HAS_CODE
		if (readtrail && gui) {
			char simtmp[32];
			sprintf(simvals, "%d?", now.ev1);
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		}
#endif
		;
		_m = 4; goto P999; /* 0 */
	case 96: // STATE 111 - prov.pml:52 - [(empty(ev1))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][111] = 1;
		if (!((q_len(now.ev1)==0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 97: // STATE 117 - prov.pml:52 - [(nempty(ak0))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][117] = 1;
		if (!((q_len(now.ak0)>0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 98: // STATE 118 - prov.pml:52 - [ak0?_,_,_] (0:0:3 - 1)
		reached[0][118] = 1;
		if (q_len(now.ak0) == 0) continue;

		XX=1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = qrecv(now.ak0, XX-1, 0, 0);
		(trpt+1)->bup.ovals[1] = qrecv(now.ak0, XX-1, 1, 0);
		(trpt+1)->bup.ovals[2] = qrecv(now.ak0, XX-1, 2, 0);
		;
		qrecv(now.ak0, XX-1, 0, 0);
		qrecv(now.ak0, XX-1, 1, 0);
		qrecv(now.ak0, XX-1, 2, 1);
		
#ifdef HAS_CODE
		if (readtrail && gui) {
			char simtmp[32];
			sprintf(simvals, "%d?", now.ak0);
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		}
#endif
		;
		_m = 4; goto P999; /* 0 */
	case 99: // STATE 119 - prov.pml:52 - [(empty(ak0))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][119] = 1;
		if (!((q_len(now.ak0)==0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 100: // STATE 125 - prov.pml:52 - [(nempty(ak1))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][125] = 1;
		if (!((q_len(now.ak1)>0)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 101: // STATE 126 - prov.pml:52 - [ak1?_,_,_] (0:0:3 - 1)
		reached[0][126] = 1;
		if (q_len(now.ak1) == 0) continue;

		XX=1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = qrecv(now.ak1, XX-1, 0, 0);
		(trpt+1)->bup.ovals[1] = qrecv(now.ak1, XX-1, 1, 0);
		(trpt+1)->bup.ovals[2] = qrecv(now.ak1, XX-1, 2, 0);
		;
		qrecv(now.ak1, XX-1, 0, 0);
		qrecv(now.ak1, XX-1, 1, 0);
		qrecv(now.ak1, XX-1, 2, 1);
		
#ifdef HAS_CODE
		if (readtrail && gui) {
			char simtmp[32];
			sprintf(simvals, "%d?", now.ak1);
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		strcat(simvals, ",");
		sprintf(simtmp, "%d", ((int)_)); strcat(simvals, simtmp);		}
#endif
		;
		_m = 4; goto P999; /* 0 */
	case 102: // STATE 127 - prov.pml:52 - [(empty(ak1))] (140:0:1 - 1)
		IfNotBlocked
		reached[0][127] = 1;
		if (!((q_len(now.ak1)==0)))
			continue;
		/* merge: goto :b4(140, 128, 140) */
		reached[0][128] = 1;
		;
		/* merge: epoch = (epoch+1)(140, 133, 140) */
		reached[0][133] = 1;
		(trpt+1)->bup.oval = ((int)now.epoch);
		now.epoch = (((int)now.epoch)+1);
#ifdef VAR_RANGES
		logval("epoch", ((int)now.epoch));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 103: // STATE 133 - prov.pml:81 - [epoch = (epoch+1)] (0:140:1 - 3)
		IfNotBlocked
		reached[0][133] = 1;
		(trpt+1)->bup.oval = ((int)now.epoch);
		now.epoch = (((int)now.epoch)+1);
#ifdef VAR_RANGES
		logval("epoch", ((int)now.epoch));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 104: // STATE 134 - prov.pml:53 - [inflight = 0] (0:0:1 - 1)
		IfNotBlocked
		reached[0][134] = 1;
		(trpt+1)->bup.oval = ((int)now.inflight);
		now.inflight = 0;
#ifdef VAR_RANGES
		logval("inflight", ((int)now.inflight));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 105: // STATE 135 - prov.pml:53 - [(1)] (142:0:1 - 1)
		IfNotBlocked
		reached[0][135] = 1;
		if (!(1))
			continue;
		/* merge: sent = 0(142, 136, 142) */
		reached[0][136] = 1;
		(trpt+1)->bup.oval = ((int)now.sent);
		now.sent = 0;
#ifdef VAR_RANGES
		logval("sent", ((int)now.sent));
#endif
		;
		/* merge: .(goto)(142, 139, 142) */
		reached[0][139] = 1;
		;
		/* merge: .(goto)(0, 143, 142) */
		reached[0][143] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 106: // STATE 139 - prov.pml:53 - [.(goto)] (0:142:0 - 2)
		IfNotBlocked
		reached[0][139] = 1;
		;
		/* merge: .(goto)(0, 143, 142) */
		reached[0][143] = 1;
		;
		_m = 3; goto P999; /* 1 */
	case 107: // STATE 145 - prov.pml:83 - [-end-] (0:0:0 - 1)
		IfNotBlocked
		reached[0][145] = 1;
		if (!delproc(1, II)) continue;
		_m = 3; goto P999; /* 0 */
	case  _T5:	/* np_ */
		if (!((!(trpt->o_pm&4) && !(trpt->tau&128))))
			continue;
		/* else fall through */
	case  _T2:	/* true */
		_m = 3; goto P999;
#undef rand
	}

