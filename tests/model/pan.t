#ifdef PEG
struct T_SRC {
	char *fl; int ln;
} T_SRC[NTRANS];

void
tr_2_src(int m, char *file, int ln)
{	T_SRC[m].fl = file;
	T_SRC[m].ln = ln;
}

void
putpeg(int n, int m)
{	printf("%5d	trans %4d ", m, n);
	printf("%s:%d\n",
		T_SRC[n].fl, T_SRC[n].ln);
}
#endif

void
settable(void)
{	Trans *T;
	Trans *settr(int, int, int, int, int, char *, int, int, int);

	trans = (Trans ***) emalloc(7*sizeof(Trans **));

	/* proctype 5: safe */

	trans[5] = (Trans **) emalloc(11*sizeof(Trans *));

	trans[5][7]	= settr(309,0,6,1,0,".(goto)", 0, 2, 0);
	T = trans[5][6] = settr(308,0,0,0,0,"DO", 0, 2, 0);
	T = T->nxt	= settr(308,0,3,0,0,"DO", 0, 2, 0);
	    T->nxt	= settr(308,0,4,0,0,"DO", 0, 2, 0);
	T = trans[ 5][3] = settr(305,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(305,2,1,0,0,"ATOMIC", 1, 2, 0);
	trans[5][1]	= settr(303,0,6,3,3,"(!((((!(((exists&&ready)&&!(del)))||((observed==desired)&&(tval==desired)))&&(exists||(tval==0)))&&(exists||!(wanted)))))", 1, 2, 0); /* m: 2 -> 6,0 */
	reached5[2] = 1;
	trans[5][2]	= settr(0,0,0,0,0,"assert(!(!((((!(((exists&&ready)&&!(del)))||((observed==desired)&&(tval==desired)))&&(exists||(tval==0)))&&(exists||!(wanted))))))",0,0,0);
	trans[5][4]	= settr(306,0,6,1,0,"(1)", 0, 2, 0);
	trans[5][5]	= settr(307,0,6,1,0,"goto T0_init", 0, 2, 0);
	trans[5][8]	= settr(310,0,9,1,0,"break", 0, 2, 0);
	trans[5][9]	= settr(311,0,10,1,0,"(1)", 0, 2, 0);
	trans[5][10]	= settr(312,0,0,4,4,"-end-", 0, 3500, 0);

	/* proctype 4: quiesce */

	trans[4] = (Trans **) emalloc(4*sizeof(Trans *));

	trans[4][1]	= settr(300,0,2,5,0,"(timeout)", 1, 3000, 0);
	trans[4][2]	= settr(301,0,3,6,0,"assert((!(exists)||(ready&&(observed==desired))))", 1, 2, 0);
	trans[4][3]	= settr(302,0,0,7,7,"-end-", 0, 3500, 0);

	/* proctype 3: :init: */

	trans[3] = (Trans **) emalloc(5*sizeof(Trans *));

	T = trans[ 3][3] = settr(298,2,0,0,0,"ATOMIC", 0, 2, 0);
	T->nxt	= settr(298,2,1,0,0,"ATOMIC", 0, 2, 0);
	trans[3][1]	= settr(296,2,2,8,8,"(run provisioner(0,ev0,ak0))", 0, 2, 0);
	trans[3][2]	= settr(297,0,4,9,9,"(run provisioner(1,ev1,ak1))", 0, 2, 0);
	trans[3][4]	= settr(299,0,0,10,10,"-end-", 0, 3500, 0);

	/* proctype 2: provisioner */

	trans[2] = (Trans **) emalloc(115*sizeof(Trans *));

	trans[2][112]	= settr(293,0,111,1,0,".(goto)", 0, 2, 0);
	T = trans[2][111] = settr(292,0,0,0,0,"DO", 0, 2, 0);
	    T->nxt	= settr(292,0,1,0,0,"DO", 0, 2, 0);
	trans[2][1]	= settr(182,0,109,11,11,"in?r,d,e", 1, 507, 0);
	T = trans[2][109] = settr(290,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(290,0,28,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(290,0,108,0,0,"IF", 0, 2, 0);
	T = trans[ 2][28] = settr(209,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(209,2,20,0,0,"ATOMIC", 1, 2, 0);
	T = trans[ 2][20] = settr(201,0,0,0,0,"sub-sequence", 1, 2, 0);
	T->nxt	= settr(201,0,18,0,0,"sub-sequence", 1, 2, 0);
	T = trans[2][18] = settr(199,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(199,2,2,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(199,2,4,0,0,"IF", 1, 2, 0);
	trans[2][2]	= settr(183,2,3,12,0,"((1&&(r<trev)))", 1, 2, 0);
	trans[2][3]	= settr(184,2,26,13,13,"(1)", 1, 2, 0); /* m: 21 -> 26,0 */
	reached2[21] = 1;
	trans[2][19]	= settr(200,2,21,1,0,".(goto)", 1, 2, 0); /* m: 21 -> 0,26 */
	reached2[21] = 1;
	trans[2][4]	= settr(185,2,5,2,0,"else", 1, 2, 0);
	trans[2][5]	= settr(186,2,16,14,14,"trev = r", 1, 2, 0); /* m: 6 -> 0,16 */
	reached2[6] = 1;
	trans[2][6]	= settr(0,0,0,0,0,"tval = r",0,0,0);
	T = trans[2][16] = settr(197,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(197,2,7,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(197,2,15,0,0,"IF", 1, 2, 0);
	trans[2][7]	= settr(188,2,13,15,15,"(d)", 1, 2, 0); /* m: 8 -> 13,0 */
	reached2[8] = 1;
	trans[2][8]	= settr(0,0,0,0,0,"tval = 0",0,0,0);
	T = trans[2][13] = settr(194,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(194,2,9,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(194,2,11,0,0,"IF", 1, 2, 0);
	trans[2][9]	= settr(190,2,10,1,0,"(1)", 1, 2, 0);
	trans[2][10]	= settr(191,2,26,16,16,"(1)", 1, 2, 0); /* m: 21 -> 26,0 */
	reached2[21] = 1;
	trans[2][14]	= settr(195,2,21,1,0,".(goto)", 1, 2, 0); /* m: 21 -> 0,26 */
	reached2[21] = 1;
	trans[2][11]	= settr(192,2,12,2,0,"else", 1, 2, 0);
	trans[2][12]	= settr(193,2,26,17,17,"trev = 0", 1, 2, 0); /* m: 21 -> 0,26 */
	reached2[21] = 1;
	trans[2][17]	= settr(198,2,21,1,0,".(goto)", 1, 2, 0); /* m: 21 -> 0,26 */
	reached2[21] = 1;
	trans[2][15]	= settr(196,2,21,2,0,"else", 1, 2, 0);
	trans[2][21]	= settr(202,2,26,18,18,"a = r", 1, 2, 0);
	T = trans[2][26] = settr(207,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(207,2,22,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(207,2,25,0,0,"IF", 1, 2, 0);
	trans[2][22]	= settr(203,4,71,19,19,"((1&&(trev>r)))", 1, 2, 0); /* m: 23 -> 71,0 */
	reached2[23] = 1;
	trans[2][23]	= settr(0,0,0,0,0,"a = trev",0,0,0);
	trans[2][24]	= settr(0,0,0,0,0,"d = (tval==0)",0,0,0);
	trans[2][27]	= settr(208,0,71,20,20,".(goto)", 1, 2, 0);
	trans[2][25]	= settr(206,2,27,2,0,"else", 1, 2, 0);
	T = trans[2][71] = settr(252,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(252,0,34,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(252,0,70,0,0,"IF", 0, 2, 0);
	T = trans[ 2][34] = settr(215,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(215,2,29,0,0,"ATOMIC", 1, 8, 0);
	trans[2][29]	= settr(210,0,111,21,21,"out!a,d,e", 1, 8, 0); /* m: 30 -> 111,0 */
	reached2[30] = 1;
	trans[2][30]	= settr(0,0,0,0,0,"r = 0",0,0,0);
	trans[2][31]	= settr(0,0,0,0,0,"e = 0",0,0,0);
	trans[2][32]	= settr(0,0,0,0,0,"a = 0",0,0,0);
	trans[2][33]	= settr(0,0,0,0,0,"d = 0",0,0,0);
	trans[2][72]	= settr(253,0,111,1,0,".(goto)", 0, 2, 0);
	T = trans[ 2][70] = settr(251,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(251,2,35,0,0,"ATOMIC", 1, 2, 0);
	trans[2][35]	= settr(216,2,69,22,0,"((deaths>0))", 1, 2, 0);
	T = trans[ 2][69] = settr(250,0,0,0,0,"sub-sequence", 1, 2, 0);
	T->nxt	= settr(250,0,36,0,0,"sub-sequence", 1, 2, 0);
	trans[2][36]	= settr(217,2,44,23,23,"deaths = (deaths-1)", 1, 2, 0);
	T = trans[ 2][44] = settr(225,0,0,0,0,"sub-sequence", 1, 2, 0);
	T->nxt	= settr(225,0,41,0,0,"sub-sequence", 1, 2, 0);
	trans[2][42]	= settr(223,2,41,1,0,".(goto)", 1, 2, 0);
	T = trans[2][41] = settr(222,2,0,0,0,"DO", 1, 2, 0);
	T = T->nxt	= settr(222,2,37,0,0,"DO", 1, 2, 0);
	    T->nxt	= settr(222,2,39,0,0,"DO", 1, 2, 0);
	trans[2][37]	= settr(218,2,38,24,0,"(nempty(in))", 1, 507, 0);
	trans[2][38]	= settr(219,2,41,25,25,"in?_,_,_", 1, 507, 0);
	trans[2][39]	= settr(220,2,52,26,0,"(empty(in))", 1, 1007, 0);
	trans[2][40]	= settr(221,2,52,1,0,"goto :b7", 1, 2, 0);
	trans[2][43]	= settr(224,2,52,1,0,"break", 1, 2, 0);
	T = trans[ 2][52] = settr(233,0,0,0,0,"sub-sequence", 1, 2, 0);
	T->nxt	= settr(233,0,49,0,0,"sub-sequence", 1, 2, 0);
	trans[2][50]	= settr(231,2,49,1,0,".(goto)", 1, 2, 0);
	T = trans[2][49] = settr(230,2,0,0,0,"DO", 1, 2, 0);
	T = T->nxt	= settr(230,2,45,0,0,"DO", 1, 2, 0);
	    T->nxt	= settr(230,2,47,0,0,"DO", 1, 2, 0);
	trans[2][45]	= settr(226,2,46,27,0,"(nempty(out))", 1, 508, 0);
	trans[2][46]	= settr(227,2,49,28,28,"out?_,_,_", 1, 508, 0);
	trans[2][47]	= settr(228,2,67,29,29,"(empty(out))", 1, 1008, 0); /* m: 53 -> 67,0 */
	reached2[53] = 1;
	trans[2][48]	= settr(229,2,53,1,0,"goto :b8", 1, 2, 0); /* m: 53 -> 0,67 */
	reached2[53] = 1;
	trans[2][51]	= settr(232,2,53,1,0,"break", 1, 2, 0);
	trans[2][53]	= settr(234,2,67,30,30,"r = 0", 1, 2, 0); /* m: 54 -> 0,67 */
	reached2[54] = 1;
	trans[2][54]	= settr(0,0,0,0,0,"e = 0",0,0,0);
	trans[2][55]	= settr(0,0,0,0,0,"a = 0",0,0,0);
	trans[2][56]	= settr(0,0,0,0,0,"d = 0",0,0,0);
	T = trans[2][67] = settr(248,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(248,2,57,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(248,2,66,0,0,"IF", 1, 2, 0);
	trans[2][57]	= settr(238,2,65,31,31,"((owner==me))", 1, 2, 0); /* m: 58 -> 65,0 */
	reached2[58] = 1;
	trans[2][58]	= settr(0,0,0,0,0,"epoch = (epoch+1)",0,0,0);
	T = trans[ 2][65] = settr(246,0,0,0,0,"sub-sequence", 1, 2, 0);
	T->nxt	= settr(246,0,59,0,0,"sub-sequence", 1, 2, 0);
	trans[2][59]	= settr(240,2,63,32,32,"inflight = 0", 1, 2, 0);
	T = trans[2][63] = settr(244,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(244,2,60,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(244,2,62,0,0,"IF", 1, 2, 0);
	trans[2][60]	= settr(241,0,111,33,33,"(1)", 1, 2, 0); /* m: 61 -> 111,0 */
	reached2[61] = 1;
	trans[2][61]	= settr(0,0,0,0,0,"sent = 0",0,0,0);
	trans[2][64]	= settr(245,0,111,34,34,".(goto)", 1, 2, 0); /* m: 68 -> 0,111 */
	reached2[68] = 1;
	trans[2][62]	= settr(243,2,64,2,0,"else", 1, 2, 0);
	trans[2][68]	= settr(249,0,111,35,35,".(goto)", 1, 2, 0);
	trans[2][66]	= settr(247,2,68,2,0,"else", 1, 2, 0);
	trans[2][110]	= settr(291,0,111,1,0,".(goto)", 0, 2, 0);
	T = trans[ 2][108] = settr(289,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(289,2,73,0,0,"ATOMIC", 1, 2, 0);
	trans[2][73]	= settr(254,2,107,36,0,"((deaths>0))", 1, 2, 0);
	T = trans[ 2][107] = settr(288,0,0,0,0,"sub-sequence", 1, 2, 0);
	T->nxt	= settr(288,0,74,0,0,"sub-sequence", 1, 2, 0);
	trans[2][74]	= settr(255,2,82,37,37,"deaths = (deaths-1)", 1, 2, 0);
	T = trans[ 2][82] = settr(263,0,0,0,0,"sub-sequence", 1, 2, 0);
	T->nxt	= settr(263,0,79,0,0,"sub-sequence", 1, 2, 0);
	trans[2][80]	= settr(261,2,79,1,0,".(goto)", 1, 2, 0);
	T = trans[2][79] = settr(260,2,0,0,0,"DO", 1, 2, 0);
	T = T->nxt	= settr(260,2,75,0,0,"DO", 1, 2, 0);
	    T->nxt	= settr(260,2,77,0,0,"DO", 1, 2, 0);
	trans[2][75]	= settr(256,2,76,38,0,"(nempty(in))", 1, 507, 0);
	trans[2][76]	= settr(257,2,79,39,39,"in?_,_,_", 1, 507, 0);
	trans[2][77]	= settr(258,2,90,40,0,"(empty(in))", 1, 1007, 0);
	trans[2][78]	= settr(259,2,90,1,0,"goto :b9", 1, 2, 0);
	trans[2][81]	= settr(262,2,90,1,0,"break", 1, 2, 0);
	T = trans[ 2][90] = settr(271,0,0,0,0,"sub-sequence", 1, 2, 0);
	T->nxt	= settr(271,0,87,0,0,"sub-sequence", 1, 2, 0);
	trans[2][88]	= settr(269,2,87,1,0,".(goto)", 1, 2, 0);
	T = trans[2][87] = settr(268,2,0,0,0,"DO", 1, 2, 0);
	T = T->nxt	= settr(268,2,83,0,0,"DO", 1, 2, 0);
	    T->nxt	= settr(268,2,85,0,0,"DO", 1, 2, 0);
	trans[2][83]	= settr(264,2,84,41,0,"(nempty(out))", 1, 508, 0);
	trans[2][84]	= settr(265,2,87,42,42,"out?_,_,_", 1, 508, 0);
	trans[2][85]	= settr(266,2,105,43,43,"(empty(out))", 1, 1008, 0); /* m: 91 -> 105,0 */
	reached2[91] = 1;
	trans[2][86]	= settr(267,2,91,1,0,"goto :b10", 1, 2, 0); /* m: 91 -> 0,105 */
	reached2[91] = 1;
	trans[2][89]	= settr(270,2,91,1,0,"break", 1, 2, 0);
	trans[2][91]	= settr(272,2,105,44,44,"r = 0", 1, 2, 0); /* m: 92 -> 0,105 */
	reached2[92] = 1;
	trans[2][92]	= settr(0,0,0,0,0,"e = 0",0,0,0);
	trans[2][93]	= settr(0,0,0,0,0,"a = 0",0,0,0);
	trans[2][94]	= settr(0,0,0,0,0,"d = 0",0,0,0);
	T = trans[2][105] = settr(286,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(286,2,95,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(286,2,104,0,0,"IF", 1, 2, 0);
	trans[2][95]	= settr(276,2,103,45,45,"((owner==me))", 1, 2, 0); /* m: 96 -> 103,0 */
	reached2[96] = 1;
	trans[2][96]	= settr(0,0,0,0,0,"epoch = (epoch+1)",0,0,0);
	T = trans[ 2][103] = settr(284,0,0,0,0,"sub-sequence", 1, 2, 0);
	T->nxt	= settr(284,0,97,0,0,"sub-sequence", 1, 2, 0);
	trans[2][97]	= settr(278,2,101,46,46,"inflight = 0", 1, 2, 0);
	T = trans[2][101] = settr(282,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(282,2,98,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(282,2,100,0,0,"IF", 1, 2, 0);
	trans[2][98]	= settr(279,0,111,47,47,"(1)", 1, 2, 0); /* m: 99 -> 111,0 */
	reached2[99] = 1;
	trans[2][99]	= settr(0,0,0,0,0,"sent = 0",0,0,0);
	trans[2][102]	= settr(283,0,111,48,48,".(goto)", 1, 2, 0); /* m: 106 -> 0,111 */
	reached2[106] = 1;
	trans[2][100]	= settr(281,2,102,2,0,"else", 1, 2, 0);
	trans[2][106]	= settr(287,0,111,49,49,".(goto)", 1, 2, 0);
	trans[2][104]	= settr(285,2,106,2,0,"else", 1, 2, 0);
	trans[2][113]	= settr(294,0,114,1,0,"break", 0, 2, 0);
	trans[2][114]	= settr(295,0,0,50,50,"-end-", 0, 3500, 0);

	/* proctype 1: client */

	trans[1] = (Trans **) emalloc(38*sizeof(Trans *));

	trans[1][35]	= settr(179,0,34,1,0,".(goto)", 0, 2, 0);
	T = trans[1][34] = settr(178,0,0,0,0,"DO", 0, 2, 0);
	T = T->nxt	= settr(178,0,19,0,0,"DO", 0, 2, 0);
	T = T->nxt	= settr(178,0,25,0,0,"DO", 0, 2, 0);
	    T->nxt	= settr(178,0,33,0,0,"DO", 0, 2, 0);
	T = trans[ 1][19] = settr(163,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(163,2,1,0,0,"ATOMIC", 1, 2, 0);
	trans[1][1]	= settr(145,2,7,51,51,"(((ops<4)&&(!(exists)||del)))", 1, 2, 0); /* m: 2 -> 7,0 */
	reached1[2] = 1;
	trans[1][2]	= settr(0,0,0,0,0,"ops = (ops+1)",0,0,0);
	T = trans[1][7] = settr(151,2,0,0,0,"IF", 1, 2, 0);
#if 0
	/* dead link: */
	T = T->nxt	= settr(151,2,3,0,0,"IF", 1, 2, 0);
#endif
	    T->nxt	= settr(151,2,5,0,0,"IF", 1, 2, 0);
	trans[1][3]	= settr(0,0,0,0,0,"(0)",0,0,0);
	trans[1][4]	= settr(148,2,17,52,52,"rev = (rev+1)", 1, 2, 0); /* m: 9 -> 0,17 */
	reached1[9] = 1;
	trans[1][8]	= settr(152,2,9,1,0,".(goto)", 1, 2, 0); /* m: 9 -> 0,17 */
	reached1[9] = 1;
	trans[1][5]	= settr(149,2,6,2,0,"else", 1, 2, 0);
	trans[1][6]	= settr(150,2,17,53,53,"rev = 1", 1, 2, 0); /* m: 9 -> 0,17 */
	reached1[9] = 1;
	trans[1][9]	= settr(153,2,17,54,54,"desired = rev", 1, 2, 0); /* m: 10 -> 0,17 */
	reached1[10] = 1;
	trans[1][10]	= settr(0,0,0,0,0,"del = 0",0,0,0);
	trans[1][11]	= settr(0,0,0,0,0,"exists = 1",0,0,0);
	trans[1][12]	= settr(0,0,0,0,0,"ready = 0",0,0,0);
	trans[1][13]	= settr(0,0,0,0,0,"wanted = 1",0,0,0);
	T = trans[1][17] = settr(161,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(161,2,14,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(161,2,16,0,0,"IF", 1, 2, 0);
	trans[1][14]	= settr(158,0,34,55,55,"(!(0))", 1, 2, 0); /* m: 15 -> 34,0 */
	reached1[15] = 1;
	trans[1][15]	= settr(0,0,0,0,0,"inflight = 0",0,0,0);
	trans[1][18]	= settr(162,0,34,56,56,".(goto)", 1, 2, 0);
	trans[1][16]	= settr(160,2,18,2,0,"else", 1, 2, 0);
	T = trans[ 1][25] = settr(169,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(169,2,20,0,0,"ATOMIC", 1, 2, 0);
	trans[1][20]	= settr(164,0,34,57,57,"((((ops<4)&&exists)&&!(del)))", 1, 2, 0); /* m: 21 -> 34,0 */
	reached1[21] = 1;
	trans[1][21]	= settr(0,0,0,0,0,"ops = (ops+1)",0,0,0);
	trans[1][22]	= settr(0,0,0,0,0,"rev = (rev+1)",0,0,0);
	trans[1][23]	= settr(0,0,0,0,0,"desired = rev",0,0,0);
	trans[1][24]	= settr(0,0,0,0,0,"ready = 0",0,0,0);
	T = trans[ 1][33] = settr(177,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(177,2,26,0,0,"ATOMIC", 1, 2, 0);
	trans[1][26]	= settr(170,0,34,58,58,"((((ops<4)&&exists)&&!(del)))", 1, 2, 0); /* m: 27 -> 34,0 */
	reached1[27] = 1;
	trans[1][27]	= settr(0,0,0,0,0,"ops = (ops+1)",0,0,0);
	trans[1][28]	= settr(0,0,0,0,0,"rev = (rev+1)",0,0,0);
	trans[1][29]	= settr(0,0,0,0,0,"desired = rev",0,0,0);
	trans[1][30]	= settr(0,0,0,0,0,"del = 1",0,0,0);
	trans[1][31]	= settr(0,0,0,0,0,"ready = 0",0,0,0);
	trans[1][32]	= settr(0,0,0,0,0,"wanted = 0",0,0,0);
	trans[1][36]	= settr(180,0,37,1,0,"break", 0, 2, 0);
	trans[1][37]	= settr(181,0,0,59,59,"-end-", 0, 3500, 0);

	/* proctype 0: server */

	trans[0] = (Trans **) emalloc(146*sizeof(Trans *));

	trans[0][143]	= settr(142,0,142,1,0,".(goto)", 0, 2, 0);
	T = trans[0][142] = settr(141,0,0,0,0,"DO", 0, 2, 0);
	T = T->nxt	= settr(141,0,9,0,0,"DO", 0, 2, 0);
	T = T->nxt	= settr(141,0,18,0,0,"DO", 0, 2, 0);
	T = T->nxt	= settr(141,0,52,0,0,"DO", 0, 2, 0);
	T = T->nxt	= settr(141,0,86,0,0,"DO", 0, 2, 0);
	T = T->nxt	= settr(141,0,98,0,0,"DO", 0, 2, 0);
	    T->nxt	= settr(141,0,141,0,0,"DO", 0, 2, 0);
	T = trans[ 0][9] = settr(8,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(8,2,1,0,0,"ATOMIC", 1, 3, 0);
	trans[0][1]	= settr(0,2,2,60,0,"((((((exists&&!((ready&&(observed==desired))))&&(inflight==0))&&(sent!=desired))&&(owner==0))&&nfull(ev0)))", 1, 3, 0);
	trans[0][2]	= settr(1,2,7,61,61,"ev0!desired,del,epoch", 1, 3, 0); /* m: 3 -> 7,0 */
	reached0[3] = 1;
	trans[0][3]	= settr(0,0,0,0,0,"inflight = desired",0,0,0);
	T = trans[0][7] = settr(6,2,0,0,0,"IF", 1, 3, 0);
	T = T->nxt	= settr(6,2,4,0,0,"IF", 1, 3, 0);
	    T->nxt	= settr(6,2,6,0,0,"IF", 1, 3, 0);
	trans[0][4]	= settr(3,0,142,62,62,"(!(1))", 1, 3, 0); /* m: 5 -> 142,0 */
	reached0[5] = 1;
	trans[0][5]	= settr(0,0,0,0,0,"sent = desired",0,0,0);
	trans[0][8]	= settr(7,0,142,63,63,".(goto)", 1, 3, 0);
	trans[0][6]	= settr(5,2,8,2,0,"else", 1, 3, 0);
	T = trans[ 0][18] = settr(17,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(17,2,10,0,0,"ATOMIC", 1, 4, 0);
	trans[0][10]	= settr(9,2,11,64,0,"((((((exists&&!((ready&&(observed==desired))))&&(inflight==0))&&(sent!=desired))&&(owner==1))&&nfull(ev1)))", 1, 4, 0);
	trans[0][11]	= settr(10,2,16,65,65,"ev1!desired,del,epoch", 1, 4, 0); /* m: 12 -> 16,0 */
	reached0[12] = 1;
	trans[0][12]	= settr(0,0,0,0,0,"inflight = desired",0,0,0);
	T = trans[0][16] = settr(15,2,0,0,0,"IF", 1, 4, 0);
	T = T->nxt	= settr(15,2,13,0,0,"IF", 1, 4, 0);
	    T->nxt	= settr(15,2,15,0,0,"IF", 1, 4, 0);
	trans[0][13]	= settr(12,0,142,66,66,"(!(1))", 1, 4, 0); /* m: 14 -> 142,0 */
	reached0[14] = 1;
	trans[0][14]	= settr(0,0,0,0,0,"sent = desired",0,0,0);
	trans[0][17]	= settr(16,0,142,67,67,".(goto)", 1, 4, 0);
	trans[0][15]	= settr(14,2,17,2,0,"else", 1, 4, 0);
	T = trans[ 0][52] = settr(51,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(51,2,19,0,0,"ATOMIC", 1, 505, 0);
	trans[0][19]	= settr(18,2,48,68,68,"ak0?r,d,e", 1, 505, 0);
	T = trans[ 0][48] = settr(47,0,0,0,0,"sub-sequence", 1, 505, 0);
	T->nxt	= settr(47,0,46,0,0,"sub-sequence", 1, 505, 0);
	T = trans[0][46] = settr(45,2,0,0,0,"IF", 1, 505, 0);
	T = T->nxt	= settr(45,2,20,0,0,"IF", 1, 505, 0);
	    T->nxt	= settr(45,2,22,0,0,"IF", 1, 505, 0);
	trans[0][20]	= settr(19,2,21,69,69,"((1&&(e!=epoch)))", 1, 505, 0);
	trans[0][21]	= settr(20,0,142,70,70,"(1)", 1, 505, 0); /* m: 49 -> 142,0 */
	reached0[49] = 1;
	trans[0][47]	= settr(46,2,49,1,0,".(goto)", 1, 505, 0); /* m: 49 -> 0,142 */
	reached0[49] = 1;
	trans[0][22]	= settr(21,2,26,2,0,"else", 1, 505, 0);
	T = trans[0][26] = settr(25,2,0,0,0,"IF", 1, 505, 0);
	T = T->nxt	= settr(25,2,23,0,0,"IF", 1, 505, 0);
	    T->nxt	= settr(25,2,25,0,0,"IF", 1, 505, 0);
	trans[0][23]	= settr(22,2,44,71,71,"((r>=inflight))", 1, 505, 0); /* m: 24 -> 44,0 */
	reached0[24] = 1;
	trans[0][24]	= settr(0,0,0,0,0,"inflight = 0",0,0,0);
	trans[0][27]	= settr(26,2,44,1,0,".(goto)", 1, 505, 0);
	trans[0][25]	= settr(24,2,44,2,0,"else", 1, 505, 0);
	T = trans[0][44] = settr(43,2,0,0,0,"IF", 1, 505, 0);
	T = T->nxt	= settr(43,2,28,0,0,"IF", 1, 505, 0);
	    T->nxt	= settr(43,2,43,0,0,"IF", 1, 505, 0);
	trans[0][28]	= settr(27,2,41,72,0,"((exists&&(((r==desired)||(!(1)&&(d==del)))||(!(1)&&d))))", 1, 505, 0);
	T = trans[0][41] = settr(40,2,0,0,0,"IF", 1, 505, 0);
	T = T->nxt	= settr(40,2,29,0,0,"IF", 1, 505, 0);
	T = T->nxt	= settr(40,2,32,0,0,"IF", 1, 505, 0);
	    T->nxt	= settr(40,2,40,0,0,"IF", 1, 505, 0);
	trans[0][29]	= settr(28,0,142,73,73,"((d&&(del||!(1))))", 1, 505, 0); /* m: 30 -> 142,0 */
	reached0[30] = 1;
	trans[0][30]	= settr(0,0,0,0,0,"exists = 0",0,0,0);
	trans[0][31]	= settr(0,0,0,0,0,"ready = 0",0,0,0);
	trans[0][42]	= settr(41,2,49,1,0,".(goto)", 1, 505, 0); /* m: 49 -> 0,142 */
	reached0[49] = 1;
	trans[0][32]	= settr(31,2,38,74,74,"((!(d)&&!(del)))", 1, 505, 0); /* m: 33 -> 38,0 */
	reached0[33] = 1;
	trans[0][33]	= settr(0,0,0,0,0,"observed = r",0,0,0);
	trans[0][34]	= settr(0,0,0,0,0,"ready = 1",0,0,0);
	T = trans[0][38] = settr(37,2,0,0,0,"IF", 1, 505, 0);
	T = T->nxt	= settr(37,2,35,0,0,"IF", 1, 505, 0);
	    T->nxt	= settr(37,2,37,0,0,"IF", 1, 505, 0);
	trans[0][35]	= settr(34,0,142,75,75,"(!(1))", 1, 505, 0); /* m: 36 -> 142,0 */
	reached0[36] = 1;
	trans[0][36]	= settr(0,0,0,0,0,"observed = desired",0,0,0);
	trans[0][39]	= settr(38,2,49,1,0,".(goto)", 1, 505, 0); /* m: 49 -> 0,142 */
	reached0[49] = 1;
	trans[0][37]	= settr(36,2,49,2,0,"else", 1, 505, 0);
	trans[0][40]	= settr(39,2,49,2,0,"else", 1, 505, 0);
	trans[0][45]	= settr(44,2,49,1,0,".(goto)", 1, 505, 0); /* m: 49 -> 0,142 */
	reached0[49] = 1;
	trans[0][43]	= settr(42,2,49,2,0,"else", 1, 505, 0);
	trans[0][49]	= settr(48,0,142,76,76,"r = 0", 1, 505, 0); /* m: 50 -> 0,142 */
	reached0[50] = 1;
	trans[0][50]	= settr(0,0,0,0,0,"d = 0",0,0,0);
	trans[0][51]	= settr(0,0,0,0,0,"e = 0",0,0,0);
	T = trans[ 0][86] = settr(85,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(85,2,53,0,0,"ATOMIC", 1, 506, 0);
	trans[0][53]	= settr(52,2,82,77,77,"ak1?r,d,e", 1, 506, 0);
	T = trans[ 0][82] = settr(81,0,0,0,0,"sub-sequence", 1, 506, 0);
	T->nxt	= settr(81,0,80,0,0,"sub-sequence", 1, 506, 0);
	T = trans[0][80] = settr(79,2,0,0,0,"IF", 1, 506, 0);
	T = T->nxt	= settr(79,2,54,0,0,"IF", 1, 506, 0);
	    T->nxt	= settr(79,2,56,0,0,"IF", 1, 506, 0);
	trans[0][54]	= settr(53,2,55,78,78,"((1&&(e!=epoch)))", 1, 506, 0);
	trans[0][55]	= settr(54,0,142,79,79,"(1)", 1, 506, 0); /* m: 83 -> 142,0 */
	reached0[83] = 1;
	trans[0][81]	= settr(80,2,83,1,0,".(goto)", 1, 506, 0); /* m: 83 -> 0,142 */
	reached0[83] = 1;
	trans[0][56]	= settr(55,2,60,2,0,"else", 1, 506, 0);
	T = trans[0][60] = settr(59,2,0,0,0,"IF", 1, 506, 0);
	T = T->nxt	= settr(59,2,57,0,0,"IF", 1, 506, 0);
	    T->nxt	= settr(59,2,59,0,0,"IF", 1, 506, 0);
	trans[0][57]	= settr(56,2,78,80,80,"((r>=inflight))", 1, 506, 0); /* m: 58 -> 78,0 */
	reached0[58] = 1;
	trans[0][58]	= settr(0,0,0,0,0,"inflight = 0",0,0,0);
	trans[0][61]	= settr(60,2,78,1,0,".(goto)", 1, 506, 0);
	trans[0][59]	= settr(58,2,78,2,0,"else", 1, 506, 0);
	T = trans[0][78] = settr(77,2,0,0,0,"IF", 1, 506, 0);
	T = T->nxt	= settr(77,2,62,0,0,"IF", 1, 506, 0);
	    T->nxt	= settr(77,2,77,0,0,"IF", 1, 506, 0);
	trans[0][62]	= settr(61,2,75,81,0,"((exists&&(((r==desired)||(!(1)&&(d==del)))||(!(1)&&d))))", 1, 506, 0);
	T = trans[0][75] = settr(74,2,0,0,0,"IF", 1, 506, 0);
	T = T->nxt	= settr(74,2,63,0,0,"IF", 1, 506, 0);
	T = T->nxt	= settr(74,2,66,0,0,"IF", 1, 506, 0);
	    T->nxt	= settr(74,2,74,0,0,"IF", 1, 506, 0);
	trans[0][63]	= settr(62,0,142,82,82,"((d&&(del||!(1))))", 1, 506, 0); /* m: 64 -> 142,0 */
	reached0[64] = 1;
	trans[0][64]	= settr(0,0,0,0,0,"exists = 0",0,0,0);
	trans[0][65]	= settr(0,0,0,0,0,"ready = 0",0,0,0);
	trans[0][76]	= settr(75,2,83,1,0,".(goto)", 1, 506, 0); /* m: 83 -> 0,142 */
	reached0[83] = 1;
	trans[0][66]	= settr(65,2,72,83,83,"((!(d)&&!(del)))", 1, 506, 0); /* m: 67 -> 72,0 */
	reached0[67] = 1;
	trans[0][67]	= settr(0,0,0,0,0,"observed = r",0,0,0);
	trans[0][68]	= settr(0,0,0,0,0,"ready = 1",0,0,0);
	T = trans[0][72] = settr(71,2,0,0,0,"IF", 1, 506, 0);
	T = T->nxt	= settr(71,2,69,0,0,"IF", 1, 506, 0);
	    T->nxt	= settr(71,2,71,0,0,"IF", 1, 506, 0);
	trans[0][69]	= settr(68,0,142,84,84,"(!(1))", 1, 506, 0); /* m: 70 -> 142,0 */
	reached0[70] = 1;
	trans[0][70]	= settr(0,0,0,0,0,"observed = desired",0,0,0);
	trans[0][73]	= settr(72,2,83,1,0,".(goto)", 1, 506, 0); /* m: 83 -> 0,142 */
	reached0[83] = 1;
	trans[0][71]	= settr(70,2,83,2,0,"else", 1, 506, 0);
	trans[0][74]	= settr(73,2,83,2,0,"else", 1, 506, 0);
	trans[0][79]	= settr(78,2,83,1,0,".(goto)", 1, 506, 0); /* m: 83 -> 0,142 */
	reached0[83] = 1;
	trans[0][77]	= settr(76,2,83,2,0,"else", 1, 506, 0);
	trans[0][83]	= settr(82,0,142,85,85,"r = 0", 1, 506, 0); /* m: 84 -> 0,142 */
	reached0[84] = 1;
	trans[0][84]	= settr(0,0,0,0,0,"d = 0",0,0,0);
	trans[0][85]	= settr(0,0,0,0,0,"e = 0",0,0,0);
	T = trans[ 0][98] = settr(97,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(97,2,87,0,0,"ATOMIC", 1, 2, 0);
	trans[0][87]	= settr(86,2,97,86,86,"((takeovers>0))", 1, 2, 0); /* m: 88 -> 97,0 */
	reached0[88] = 1;
	trans[0][88]	= settr(0,0,0,0,0,"takeovers = (takeovers-1)",0,0,0);
	trans[0][89]	= settr(0,0,0,0,0,"owner = (1-owner)",0,0,0);
	trans[0][90]	= settr(0,0,0,0,0,"epoch = (epoch+1)",0,0,0);
	T = trans[ 0][97] = settr(96,0,0,0,0,"sub-sequence", 1, 2, 0);
	T->nxt	= settr(96,0,91,0,0,"sub-sequence", 1, 2, 0);
	trans[0][91]	= settr(90,2,95,87,87,"inflight = 0", 1, 2, 0);
	T = trans[0][95] = settr(94,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(94,2,92,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(94,2,94,0,0,"IF", 1, 2, 0);
	trans[0][92]	= settr(91,0,142,88,88,"(1)", 1, 2, 0); /* m: 93 -> 142,0 */
	reached0[93] = 1;
	trans[0][93]	= settr(0,0,0,0,0,"sent = 0",0,0,0);
	trans[0][96]	= settr(95,0,142,89,89,".(goto)", 1, 2, 0);
	trans[0][94]	= settr(93,2,96,2,0,"else", 1, 2, 0);
	T = trans[ 0][141] = settr(140,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(140,2,99,0,0,"ATOMIC", 1, 2, 0);
	trans[0][99]	= settr(98,2,108,90,90,"((crashes>0))", 1, 2, 0); /* m: 100 -> 108,0 */
	reached0[100] = 1;
	trans[0][100]	= settr(0,0,0,0,0,"crashes = (crashes-1)",0,0,0);
	T = trans[ 0][108] = settr(107,0,0,0,0,"sub-sequence", 1, 2, 0);
	T->nxt	= settr(107,0,105,0,0,"sub-sequence", 1, 2, 0);
	trans[0][106]	= settr(105,2,105,1,0,".(goto)", 1, 2, 0);
	T = trans[0][105] = settr(104,2,0,0,0,"DO", 1, 2, 0);
	T = T->nxt	= settr(104,2,101,0,0,"DO", 1, 2, 0);
	    T->nxt	= settr(104,2,103,0,0,"DO", 1, 2, 0);
	trans[0][101]	= settr(100,2,102,91,0,"(nempty(ev0))", 1, 503, 0);
	trans[0][102]	= settr(101,2,105,92,92,"ev0?_,_,_", 1, 503, 0);
	trans[0][103]	= settr(102,2,116,93,0,"(empty(ev0))", 1, 1003, 0);
	trans[0][104]	= settr(103,2,116,1,0,"goto :b1", 1, 2, 0);
	trans[0][107]	= settr(106,2,116,1,0,"break", 1, 2, 0);
	T = trans[ 0][116] = settr(115,0,0,0,0,"sub-sequence", 1, 2, 0);
	T->nxt	= settr(115,0,113,0,0,"sub-sequence", 1, 2, 0);
	trans[0][114]	= settr(113,2,113,1,0,".(goto)", 1, 2, 0);
	T = trans[0][113] = settr(112,2,0,0,0,"DO", 1, 2, 0);
	T = T->nxt	= settr(112,2,109,0,0,"DO", 1, 2, 0);
	    T->nxt	= settr(112,2,111,0,0,"DO", 1, 2, 0);
	trans[0][109]	= settr(108,2,110,94,0,"(nempty(ev1))", 1, 504, 0);
	trans[0][110]	= settr(109,2,113,95,95,"ev1?_,_,_", 1, 504, 0);
	trans[0][111]	= settr(110,2,124,96,0,"(empty(ev1))", 1, 1004, 0);
	trans[0][112]	= settr(111,2,124,1,0,"goto :b2", 1, 2, 0);
	trans[0][115]	= settr(114,2,124,1,0,"break", 1, 2, 0);
	T = trans[ 0][124] = settr(123,0,0,0,0,"sub-sequence", 1, 2, 0);
	T->nxt	= settr(123,0,121,0,0,"sub-sequence", 1, 2, 0);
	trans[0][122]	= settr(121,2,121,1,0,".(goto)", 1, 2, 0);
	T = trans[0][121] = settr(120,2,0,0,0,"DO", 1, 2, 0);
	T = T->nxt	= settr(120,2,117,0,0,"DO", 1, 2, 0);
	    T->nxt	= settr(120,2,119,0,0,"DO", 1, 2, 0);
	trans[0][117]	= settr(116,2,118,97,0,"(nempty(ak0))", 1, 505, 0);
	trans[0][118]	= settr(117,2,121,98,98,"ak0?_,_,_", 1, 505, 0);
	trans[0][119]	= settr(118,2,132,99,0,"(empty(ak0))", 1, 1005, 0);
	trans[0][120]	= settr(119,2,132,1,0,"goto :b3", 1, 2, 0);
	trans[0][123]	= settr(122,2,132,1,0,"break", 1, 2, 0);
	T = trans[ 0][132] = settr(131,0,0,0,0,"sub-sequence", 1, 2, 0);
	T->nxt	= settr(131,0,129,0,0,"sub-sequence", 1, 2, 0);
	trans[0][130]	= settr(129,2,129,1,0,".(goto)", 1, 2, 0);
	T = trans[0][129] = settr(128,2,0,0,0,"DO", 1, 2, 0);
	T = T->nxt	= settr(128,2,125,0,0,"DO", 1, 2, 0);
	    T->nxt	= settr(128,2,127,0,0,"DO", 1, 2, 0);
	trans[0][125]	= settr(124,2,126,100,0,"(nempty(ak1))", 1, 506, 0);
	trans[0][126]	= settr(125,2,129,101,101,"ak1?_,_,_", 1, 506, 0);
	trans[0][127]	= settr(126,2,140,102,102,"(empty(ak1))", 1, 1006, 0); /* m: 133 -> 140,0 */
	reached0[133] = 1;
	trans[0][128]	= settr(127,2,133,1,0,"goto :b4", 1, 2, 0); /* m: 133 -> 0,140 */
	reached0[133] = 1;
	trans[0][131]	= settr(130,2,133,1,0,"break", 1, 2, 0);
	trans[0][133]	= settr(132,2,140,103,103,"epoch = (epoch+1)", 1, 2, 0);
	T = trans[ 0][140] = settr(139,0,0,0,0,"sub-sequence", 1, 2, 0);
	T->nxt	= settr(139,0,134,0,0,"sub-sequence", 1, 2, 0);
	trans[0][134]	= settr(133,2,138,104,104,"inflight = 0", 1, 2, 0);
	T = trans[0][138] = settr(137,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(137,2,135,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(137,2,137,0,0,"IF", 1, 2, 0);
	trans[0][135]	= settr(134,0,142,105,105,"(1)", 1, 2, 0); /* m: 136 -> 142,0 */
	reached0[136] = 1;
	trans[0][136]	= settr(0,0,0,0,0,"sent = 0",0,0,0);
	trans[0][139]	= settr(138,0,142,106,106,".(goto)", 1, 2, 0);
	trans[0][137]	= settr(136,2,139,2,0,"else", 1, 2, 0);
	trans[0][144]	= settr(143,0,145,1,0,"break", 0, 2, 0);
	trans[0][145]	= settr(144,0,0,107,107,"-end-", 0, 3500, 0);
	/* np_ demon: */
	trans[_NP_] = (Trans **) emalloc(3*sizeof(Trans *));
	T = trans[_NP_][0] = settr(9997,0,1,_T5,0,"(np_)", 1,2,0);
	    T->nxt	  = settr(9998,0,0,_T2,0,"(1)",   0,2,0);
	T = trans[_NP_][1] = settr(9999,0,1,_T5,0,"(np_)", 1,2,0);
}

Trans *
settr(	int t_id, int a, int b, int c, int d,
	char *t, int g, int tpe0, int tpe1)
{	Trans *tmp = (Trans *) emalloc(sizeof(Trans));

	tmp->atom  = a&(6|32);	/* only (2|8|32) have meaning */
	if (!g) tmp->atom |= 8;	/* no global references */
	tmp->st    = b;
	tmp->tpe[0] = tpe0;
	tmp->tpe[1] = tpe1;
	tmp->tp    = t;
	tmp->t_id  = t_id;
	tmp->forw  = c;
	tmp->back  = d;
	return tmp;
}

Trans *
cpytr(Trans *a)
{	Trans *tmp = (Trans *) emalloc(sizeof(Trans));

	int i;
	tmp->atom  = a->atom;
	tmp->st    = a->st;
#ifdef HAS_UNLESS
	tmp->e_trans = a->e_trans;
	for (i = 0; i < HAS_UNLESS; i++)
		tmp->escp[i] = a->escp[i];
#endif
	tmp->tpe[0] = a->tpe[0];
	tmp->tpe[1] = a->tpe[1];
	for (i = 0; i < 6; i++)
	{	tmp->qu[i] = a->qu[i];
		tmp->ty[i] = a->ty[i];
	}
	tmp->tp    = (char *) emalloc(strlen(a->tp)+1);
	strcpy(tmp->tp, a->tp);
	tmp->t_id  = a->t_id;
	tmp->forw  = a->forw;
	tmp->back  = a->back;
	return tmp;
}

#ifndef NOREDUCE
int
srinc_set(int n)
{	if (n <= 2) return LOCAL;
	if (n <= 2+  DELTA) return Q_FULL_F; /* 's' or nfull  */
	if (n <= 2+2*DELTA) return Q_EMPT_F; /* 'r' or nempty */
	if (n <= 2+3*DELTA) return Q_EMPT_T; /* empty */
	if (n <= 2+4*DELTA) return Q_FULL_T; /* full  */
	if (n ==   5*DELTA) return GLOBAL;
	if (n ==   6*DELTA) return TIMEOUT_F;
	if (n ==   7*DELTA) return ALPHA_F;
	Uerror("cannot happen srinc_class");
	return BAD;
}
int
srunc(int n, int m)
{	switch(m) {
	case Q_FULL_F: return n-2;
	case Q_EMPT_F: return n-2-DELTA;
	case Q_EMPT_T: return n-2-2*DELTA;
	case Q_FULL_T: return n-2-3*DELTA;
	case ALPHA_F:
	case TIMEOUT_F: return 257; /* non-zero, and > MAXQ */
	}
	Uerror("cannot happen srunc");
	return 0;
}
#endif
int cnt;
#ifdef HAS_UNLESS
int
isthere(Trans *a, int b)
{	Trans *t;
	for (t = a; t; t = t->nxt)
		if (t->t_id == b)
			return 1;
	return 0;
}
#endif
#ifndef NOREDUCE
int
mark_safety(Trans *t) /* for conditional safety */
{	int g = 0, i, j, k;

	if (!t) return 0;
	if (t->qu[0])
		return (t->qu[1])?2:1;	/* marked */

	for (i = 0; i < 2; i++)
	{	j = srinc_set(t->tpe[i]);
		if (j >= GLOBAL && j != ALPHA_F)
			return -1;
		if (j != LOCAL)
		{	k = srunc(t->tpe[i], j);
			if (g == 0
			||  t->qu[0] != k
			||  t->ty[0] != j)
			{	t->qu[g] = k;
				t->ty[g] = j;
				g++;
	}	}	}
	return g;
}
#endif
void
retrans(int n, int m, int is, short srcln[], uchar reach[], uchar lpstate[])
	/* process n, with m states, is=initial state */
{	Trans *T0, *T1, *T2, *T3;
	Trans *T4, *T5; /* t_reverse or has_unless */
	int i;
#if defined(HAS_UNLESS) || !defined(NOREDUCE)
	int k;
#endif
#ifndef NOREDUCE
	int g, h, j, aa;
#endif
#ifdef HAS_UNLESS
	int p;
#endif
	if (state_tables >= 4)
	{	printf("STEP 1 %s\n", 
			procname[n]);
		for (i = 1; i < m; i++)
		for (T0 = trans[n][i]; T0; T0 = T0->nxt)
			crack(n, i, T0, srcln);
		return;
	}
	do {
		for (i = 1, cnt = 0; i < m; i++)
		{	T2 = trans[n][i];
			T1 = T2?T2->nxt:(Trans *)0;
/* prescan: */		for (T0 = T1; T0; T0 = T0->nxt)
/* choice in choice */	{	if (T0->st && trans[n][T0->st]
				&&  trans[n][T0->st]->nxt)
					break;
			}
#if 0
		if (T0)
		printf("\tstate %d / %d: choice in choice\n",
		i, T0->st);
#endif
			if (T0)
			for (T0 = T1; T0; T0 = T0->nxt)
			{	T3 = trans[n][T0->st];
				if (!T3->nxt)
				{	T2->nxt = cpytr(T0);
					T2 = T2->nxt;
					imed(T2, T0->st, n, i);
					continue;
				}
				do {	T3 = T3->nxt;
					T2->nxt = cpytr(T3);
					T2 = T2->nxt;
					imed(T2, T0->st, n, i);
				} while (T3->nxt);
				cnt++;
			}
		}
	} while (cnt);
	if (state_tables >= 3)
	{	printf("STEP 2 %s\n", 
			procname[n]);
		for (i = 1; i < m; i++)
		for (T0 = trans[n][i]; T0; T0 = T0->nxt)
			crack(n, i, T0, srcln);
		return;
	}
	for (i = 1; i < m; i++)
	{	if (trans[n][i] && trans[n][i]->nxt) /* optimize */
		{	T1 = trans[n][i]->nxt;
#if 0
			printf("\t\tpull %d (%d) to %d\n",
			T1->st, T1->forw, i);
#endif
			srcln[i] = srcln[T1->st];	/* Oyvind Teig, 5.2.0 */

			if (!trans[n][T1->st]) continue;
			T0 = cpytr(trans[n][T1->st]);
			trans[n][i] = T0;
			reach[T1->st] = 1;
			imed(T0, T1->st, n, i);
			for (T1 = T1->nxt; T1; T1 = T1->nxt)
			{
#if 0
			printf("\t\tpull %d (%d) to %d\n",
				T1->st, T1->forw, i);
#endif
		/*		srcln[i] = srcln[T1->st];  gh: not useful */
				if (!trans[n][T1->st]) continue;
				T0->nxt = cpytr(trans[n][T1->st]);
				T0 = T0->nxt;
				reach[T1->st] = 1;
				imed(T0, T1->st, n, i);
	}	}	}
	if (state_tables >= 2)
	{	printf("STEP 3 %s\n", 
			procname[n]);
		for (i = 1; i < m; i++)
		for (T0 = trans[n][i]; T0; T0 = T0->nxt)
			crack(n, i, T0, srcln);
		return;
	}
#ifdef HAS_UNLESS
	for (i = 1; i < m; i++)
	{	if (!trans[n][i]) continue;
		/* check for each state i if an
		 * escape to some state p is defined
		 * if so, copy and mark p's transitions
		 * and prepend them to the transition-
		 * list of state i
		 */
	 if (!like_java) /* the default */
	 {	for (T0 = trans[n][i]; T0; T0 = T0->nxt)
		for (k = HAS_UNLESS-1; k >= 0; k--)
		{	if (p = T0->escp[k])
			for (T1 = trans[n][p]; T1; T1 = T1->nxt)
			{	if (isthere(trans[n][i], T1->t_id))
					continue;
				T2 = cpytr(T1);
				T2->e_trans = p;
				T2->nxt = trans[n][i];
				trans[n][i] = T2;
		}	}
	 } else /* outermost unless checked first */
	 {	T4 = T3 = (Trans *) 0;
		for (T0 = trans[n][i]; T0; T0 = T0->nxt)
		for (k = HAS_UNLESS-1; k >= 0; k--)
		{	if (p = T0->escp[k])
			for (T1 = trans[n][p]; T1; T1 = T1->nxt)
			{	if (isthere(trans[n][i], T1->t_id))
					continue;
				T2 = cpytr(T1);
				T2->nxt = (Trans *) 0;
				T2->e_trans = p;
				if (T3)	T3->nxt = T2;
				else	T4 = T2;
				T3 = T2;
		}	}
		if (T4)
		{	T3->nxt = trans[n][i];
			trans[n][i] = T4;
		}
	 }
	}
#endif
#ifndef NOREDUCE
	for (i = 1; i < m; i++)
	{	if (a_cycles)
		{ /* moves through these states are visible */
	#if PROG_LAB>0 && defined(HAS_NP)
			if (progstate[n][i])
				goto degrade;
			for (T1 = trans[n][i]; T1; T1 = T1->nxt)
				if (progstate[n][T1->st])
					goto degrade;
	#endif
			if (accpstate[n][i] || visstate[n][i])
				goto degrade;
			for (T1 = trans[n][i]; T1; T1 = T1->nxt)
				if (accpstate[n][T1->st])
					goto degrade;
		}
		T1 = trans[n][i];
		if (!T1) continue;
		g = mark_safety(T1);	/* V3.3.1 */
		if (g < 0) goto degrade; /* global */
		/* check if mixing of guards preserves reduction */
		if (T1->nxt)
		{	k = 0;
			for (T0 = T1; T0; T0 = T0->nxt)
			{	if (!(T0->atom&8))
					goto degrade;
				for (aa = 0; aa < 2; aa++)
				{	j = srinc_set(T0->tpe[aa]);
					if (j >= GLOBAL && j != ALPHA_F)
						goto degrade;
					if (T0->tpe[aa]
					&&  T0->tpe[aa]
					!=  T1->tpe[0])
						k = 1;
			}	}
			/* g = 0;	V3.3.1 */
			if (k)	/* non-uniform selection */
			for (T0 = T1; T0; T0 = T0->nxt)
			for (aa = 0; aa < 2; aa++)
			{	j = srinc_set(T0->tpe[aa]);
				if (j != LOCAL)
				{	k = srunc(T0->tpe[aa], j);
					for (h = 0; h < 6; h++)
						if (T1->qu[h] == k
						&&  T1->ty[h] == j)
							break;
					if (h >= 6)
					{	T1->qu[g%6] = k;
						T1->ty[g%6] = j;
						g++;
			}	}	}
			if (g > 6)
			{	T1->qu[0] = 0;	/* turn it off */
				printf("pan: warning, line %d, ",
					srcln[i]);
			 	printf("too many stmnt types (%d)",
					g);
			  	printf(" in selection\n");
			  goto degrade;
			}
		}
		/* mark all options global if >=1 is global */
		for (T1 = trans[n][i]; T1; T1 = T1->nxt)
			if (!(T1->atom&8)) break;
		if (T1)
degrade:	for (T1 = trans[n][i]; T1; T1 = T1->nxt)
			T1->atom &= ~8;	/* mark as unsafe */
		/* can only mix 'r's or 's's if on same chan */
		/* and not mixed with other local operations */
		T1 = trans[n][i];
		if (!T1 || T1->qu[0]) continue;
		j = T1->tpe[0];
		if (T1->nxt && T1->atom&8)
		{ if (j == 5*DELTA)
		  {	printf("warning: line %d ", srcln[i]);
			printf("mixed condition ");
			printf("(defeats reduction)\n");
			goto degrade;
		  }
		  for (T0 = T1; T0; T0 = T0->nxt)
		  for (aa = 0; aa < 2; aa++)
		  if  (T0->tpe[aa] && T0->tpe[aa] != j)
		  {	printf("warning: line %d ", srcln[i]);
			printf("[%d-%d] mixed %stion ",
				T0->tpe[aa], j, 
				(j==5*DELTA)?"condi":"selec");
			printf("(defeats reduction)\n");
			printf("	'%s' <-> '%s'\n",
				T1->tp, T0->tp);
			goto degrade;
		} }
	}
#endif
	for (i = 1; i < m; i++)
	{	T2 = trans[n][i];
		if (!T2
		||  T2->nxt
		||  strncmp(T2->tp, ".(goto)", 7)
		||  !stopstate[n][i])
			continue;
		stopstate[n][T2->st] = 1;
	}
	if (state_tables && !verbose)
	{	if (dodot)
		{	char buf[256], *q = buf, *p = procname[n];
			while (*p != '\0')
			{	if (*p != ':')
				{	*q++ = *p;
				}
				p++;
			}
			*q = '\0';
			printf("digraph ");
			switch (Btypes[n]) {
			case I_PROC:  printf("init {\n"); break;
			case N_CLAIM: printf("claim_%s {\n", buf); break;
			case E_TRACE: printf("notrace {\n"); break;
			case N_TRACE: printf("trace {\n"); break;
			default:      printf("p_%s {\n", buf); break;
			}
			printf("size=\"8,10\";\n");
			printf("  GT [shape=box,style=dotted,label=\"%s\"];\n", buf);
			printf("  GT -> S%d;\n", is);
		} else
		{	switch (Btypes[n]) {
			case I_PROC:  printf("init\n"); break;
			case N_CLAIM: printf("claim %s\n", procname[n]); break;
			case E_TRACE: printf("notrace assertion\n"); break;
			case N_TRACE: printf("trace assertion\n"); break;
			default:      printf("proctype %s\n", procname[n]); break;
		}	}
		for (i = 1; i < m; i++)
		{	reach[i] = 1;
		}
		tagtable(n, m, is, srcln, reach);
		if (dodot) printf("}\n");
	} else
	for (i = 1; i < m; i++)
	{	int nrelse;
		if (Btypes[n] != N_CLAIM)
		{	for (T0 = trans[n][i]; T0; T0 = T0->nxt)
			{	if (T0->st == i
				&& strcmp(T0->tp, "(1)") == 0)
				{	printf("error: proctype '%s' ",
						procname[n]);
		  			printf("line %d, state %d: has un",
						srcln[i], i);
					printf("conditional self-loop\n");
					pan_exit(1);
		}	}	}
		nrelse = 0;
		for (T0 = trans[n][i]; T0; T0 = T0->nxt)
		{	if (strcmp(T0->tp, "else") == 0)
				nrelse++;
		}
		if (nrelse > 1)
		{	printf("error: proctype '%s' state",
				procname[n]);
		  	printf(" %d, inherits %d", i, nrelse);
		  	printf(" 'else' stmnts\n");
			pan_exit(1);
	}	}
#if !defined(LOOPSTATE) && !defined(BFS_PAR)
	if (state_tables)
#endif
	do_dfs(n, m, is, srcln, reach, lpstate);

	if (!t_reverse)
	{	return;
	}
	/* process n, with m states, is=initial state -- reverse list */
	if (!state_tables && Btypes[n] != N_CLAIM)
	{	for (i = 1; i < m; i++)
		{	Trans *Tx = (Trans *) 0; /* list of escapes */
			Trans *Ty = (Trans *) 0; /* its tail element */
			T1 = (Trans *) 0; /* reversed list */
			T2 = (Trans *) 0; /* its tail */
			T3 = (Trans *) 0; /* remembers possible 'else' */

			/* find unless-escapes, they should go first */
			T4 = T5 = T0 = trans[n][i];
	#ifdef HAS_UNLESS
			while (T4 && T4->e_trans) /* escapes are first in orig list */
			{	T5 = T4;	  /* remember predecessor */
				T4 = T4->nxt;
			}
	#endif
			/* T4 points to first non-escape, T5 to its parent, T0 to original list */
			if (T4 != T0)		 /* there was at least one escape */
			{	T3 = T5->nxt;		 /* start of non-escapes */
				T5->nxt = (Trans *) 0;	 /* separate */
				Tx = T0;		 /* start of the escapes */
				Ty = T5;		 /* its tail */
				T0 = T3;		 /* the rest, to be reversed */
			}
			/* T0 points to first non-escape, Tx to the list of escapes, Ty to its tail */

			/* first tail-add non-escape transitions, reversed */
			T3 = (Trans *) 0;
			for (T5 = T0; T5; T5 = T4)
			{	T4 = T5->nxt;
	#ifdef HAS_UNLESS
				if (T5->e_trans)
				{	printf("error: cannot happen!\n");
					continue;
				}
	#endif
				if (strcmp(T5->tp, "else") == 0)
				{	T3 = T5;
					T5->nxt = (Trans *) 0;
				} else
				{	T5->nxt = T1;
					if (!T1) { T2 = T5; }
					T1 = T5;
			}	}
			/* T3 points to a possible else, which is removed from the list */
			/* T1 points to the reversed list so far (without escapes) */
			/* T2 points to the tail element -- where the else should go */
			if (T2 && T3)
			{	T2->nxt = T3;	/* add else */
			} else
			{	if (T3) /* there was an else, but there's no tail */
				{	if (!T1)	/* and no reversed list */
					{	T1 = T3; /* odd, but possible */
					} else		/* even stranger */
					{	T1->nxt = T3;
			}	}	}

			/* add in the escapes, to that they appear at the front */
			if (Tx && Ty) { Ty->nxt = T1; T1 = Tx; }

			trans[n][i] = T1;
			/* reversed, with escapes first and else last */
	}	}
	if (state_tables && verbose)
	{	printf("FINAL proctype %s\n", 
			procname[n]);
		for (i = 1; i < m; i++)
		for (T0 = trans[n][i]; T0; T0 = T0->nxt)
			crack(n, i, T0, srcln);
	}
}
void
imed(Trans *T, int v, int n, int j)	/* set intermediate state */
{	progstate[n][T->st] |= progstate[n][v];
	accpstate[n][T->st] |= accpstate[n][v];
	stopstate[n][T->st] |= stopstate[n][v];
	mapstate[n][j] = T->st;
}
void
tagtable(int n, int m, int is, short srcln[], uchar reach[])
{	Trans *z;

	if (is >= m || !trans[n][is]
	||  is <= 0 || reach[is] == 0)
		return;
	reach[is] = 0;
	if (state_tables)
	for (z = trans[n][is]; z; z = z->nxt)
	{	if (dodot)
			dot_crack(n, is, z);
		else
			crack(n, is, z, srcln);
	}

	for (z = trans[n][is]; z; z = z->nxt)
	{
#ifdef HAS_UNLESS
		int i, j;
#endif
		tagtable(n, m, z->st, srcln, reach);
#ifdef HAS_UNLESS
		for (i = 0; i < HAS_UNLESS; i++)
		{	j = trans[n][is]->escp[i];
			if (!j) break;
			tagtable(n, m, j, srcln, reach);
		}
#endif
	}
}

extern Trans *t_id_lkup[];

void
dfs_table(int n, int m, int is, short srcln[], uchar reach[], uchar lpstate[])
{	Trans *z;

	if (is >= m || is <= 0 || !trans[n][is])
		return;
	if ((reach[is] & (4|8|16)) != 0)
	{	if ((reach[is] & (8|16)) == 16)	/* on stack, not yet recorded */
		{	lpstate[is] = 1;
			reach[is] |= 8; /* recorded */
			if (state_tables && verbose)
			{	printf("state %d line %d is a loopstate\n", is, srcln[is]);
		}	}
		return;
	}
	reach[is] |= (4|16);	/* visited | onstack */
	for (z = trans[n][is]; z; z = z->nxt)
	{	t_id_lkup[z->t_id] = z;
#ifdef HAS_UNLESS
		int i, j;
#endif
		dfs_table(n, m, z->st, srcln, reach, lpstate);
#ifdef HAS_UNLESS
		for (i = 0; i < HAS_UNLESS; i++)
		{	j = trans[n][is]->escp[i];
			if (!j) break;
			dfs_table(n, m, j, srcln, reach, lpstate);
		}
#endif
	}
	reach[is] &= ~16; /* no longer on stack */
}
void
do_dfs(int n, int m, int is, short srcln[], uchar reach[], uchar lpstate[])
{	int i;
	dfs_table(n, m, is, srcln, reach, lpstate);
	for (i = 0; i < m; i++)
		reach[i] &= ~(4|8|16);
}
void
crack(int n, int j, Trans *z, short srcln[])
{	int i;

	if (!z) return;
	printf("	state %3d -(tr %3d)-> state %3d  ",
		j, z->forw, z->st);
	printf("[id %3d tp %3d", z->t_id, z->tpe[0]);
	if (z->tpe[1]) printf(",%d", z->tpe[1]);
#ifdef HAS_UNLESS
	if (z->e_trans)
		printf(" org %3d", z->e_trans);
	else if (state_tables >= 2)
	for (i = 0; i < HAS_UNLESS; i++)
	{	if (!z->escp[i]) break;
		printf(" esc %d", z->escp[i]);
	}
#endif
	printf("]");
	printf(" [%s%s%s%s%s] %s:%d => ",
		z->atom&6?"A":z->atom&32?"D":"-",
		accpstate[n][j]?"a" :"-",
		stopstate[n][j]?"e" : "-",
		progstate[n][j]?"p" : "-",
		z->atom & 8 ?"L":"G",
		PanSource, srcln[j]);
	for (i = 0; z->tp[i]; i++)
		if (z->tp[i] == '\n')
			printf("\\n");
		else
			putchar(z->tp[i]);
	if (verbose && z->qu[0])
	{	printf("\t[");
		for (i = 0; i < 6; i++)
			if (z->qu[i])
				printf("(%d,%d)",
				z->qu[i], z->ty[i]);
		printf("]");
	}
	printf("\n");
	fflush(stdout);
}
/* spin -a m.pml; cc -o pan pan.c; ./pan -D | dot -Tps > foo.ps; ps2pdf foo.ps */
void
dot_crack(int n, int j, Trans *z)
{	int i;

	if (!z) return;
	printf("	S%d -> S%d  [color=black", j, z->st);

	if (z->atom&6) printf(",style=dashed");
	else if (z->atom&32) printf(",style=dotted");
	else if (z->atom&8) printf(",style=solid");
	else printf(",style=bold");

	printf(",label=\"");
	for (i = 0; z->tp[i]; i++)
	{	if (z->tp[i] == '\\'
		&&  z->tp[i+1] == 'n')
		{	i++; printf(" ");
		} else
		{	putchar(z->tp[i]);
	}	}
	printf("\"];\n");
	if (accpstate[n][j]) printf("  S%d [color=red,style=bold];\n", j);
	else if (progstate[n][j]) printf("  S%d [color=green,style=bold];\n", j);
	if (stopstate[n][j]) printf("  S%d [color=blue,style=bold,shape=box];\n", j);
}

#ifdef VAR_RANGES
#define BYTESIZE	32	/* 2^8 : 2^3 = 256:8 = 32 */

typedef struct Vr_Ptr {
	char	*nm;
	uchar	vals[BYTESIZE];
	struct Vr_Ptr *nxt;
} Vr_Ptr;
Vr_Ptr *ranges = (Vr_Ptr *) 0;

void
logval(char *s, int v)
{	Vr_Ptr *tmp;

	if (v<0 || v > 255) return;
	for (tmp = ranges; tmp; tmp = tmp->nxt)
		if (!strcmp(tmp->nm, s))
			goto found;
	tmp = (Vr_Ptr *) emalloc(sizeof(Vr_Ptr));
	tmp->nxt = ranges;
	ranges = tmp;
	tmp->nm = s;
found:
	tmp->vals[(v)/8] |= 1<<((v)%8);
}

void
dumpval(uchar X[], int range)
{	int w, x, i, j = -1;

	for (w = i = 0; w < range; w++)
	for (x = 0; x < 8; x++, i++)
	{
from:		if ((X[w] & (1<<x)))
		{	printf("%d", i);
			j = i;
			goto upto;
	}	}
	return;
	for (w = 0; w < range; w++)
	for (x = 0; x < 8; x++, i++)
	{
upto:		if (!(X[w] & (1<<x)))
		{	if (i-1 == j)
				printf(", ");
			else
				printf("-%d, ", i-1);
			goto from;
	}	}
	if (j >= 0 && j != 255)
		printf("-255");
}

void
dumpranges(void)
{	Vr_Ptr *tmp;
	printf("\nValues assigned within ");
	printf("interval [0..255]:\n");
	for (tmp = ranges; tmp; tmp = tmp->nxt)
	{	printf("\t%s\t: ", tmp->nm);
		dumpval(tmp->vals, BYTESIZE);
		printf("\n");
	}
}
#endif
