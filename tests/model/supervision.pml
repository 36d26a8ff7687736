/* SPDX-License-Identifier: ISC */
/*
 * The stop, restart and escalate protocol of two nested supervisors and the
 * keeper, for spin(1): every interleaving of a small tree is looked at.
 *
 *   root [ a, S [ u, v ] ]      a, u, v: workers
 *
 * The names are those of supd/core (tree.h, sup.c, worker.c) and of the wire:
 * this is the core's machine with its data left out, so that a change there
 * has its place here.  What the model leaves open, so that all of it is tried:
 * the strategies of both supervisors, S's restart type, who dies when, who
 * obeys a SIGTERM, which starts fail, when a window forgets, when the operator
 * terminates A or S or stops everything, which reports come twice.
 *
 * What is bounded is in the table of init: how many processes end by
 * themselves, how many starts fail, how many reports come twice, how many
 * windows forget; and one terminate_child.  So there is no infinite run but by
 * a fault, and "a stop always ends" is "nothing waits for ever before it has".
 *
 * Checked by tests/model/run:
 *   - no two live copies: the keeper never gets a spawn for a slot in use
 *   - every exit is handled once: by a decision, or swallowed by a stop
 *   - a stop always ends, of everything and of S alone (ltl; without it, no
 *     run gets stuck), and nothing is alive after it
 *   - check.c: an idle supervisor has seen to everybody, one that is down runs
 *     nobody, starts go forward and stops backward
 *
 * BROKEN 1 to 5 each leave out one rule; the run must find that out.
 */

#ifndef BROKEN
#define BROKEN 0
#endif
#define INTENSITY 1

/* Nodes; S is a child like any other to the root. */
#define ROOT  0
#define A     1
#define S     2
#define U     3
#define V     4
#define NODES 5
#define NONE  5

#define is_sup(n)    ((n) == ROOT || (n) == S)
#define parent(n)    ((n) == U || (n) == V -> S : ROOT)
#define first(s)     ((s) == ROOT -> A : U)
#define last(s)      ((s) == ROOT -> S : V)
#define next(s, n)   ((n) == last(s) -> NONE : last(s))
#define before(s, n) ((n) == first(s) -> NONE : first(s))

mtype = { /* enum child_state */
	STOPPED, STARTING, READY, STOPPING, WAITING, ENDED,
	/* enum phase */
	PHASE_NONE, PHASE_SPAWN, PHASE_ABORT, PHASE_RUN, PHASE_STOP,
	/* enum mode */
	DOWN, BOOT, ROLLBACK, IDLE, RESTART_STOP, RESTART_START, CALL_STOP,
	SHUTDOWN,
	/* enum outcome */
	NOTHING, OK, FAILED,
	/* enum strategy */
	ONE_FOR_ONE, REST_FOR_ONE, ONE_FOR_ALL,
	/* enum restart_type, of S */
	PERMANENT, TRANSIENT,
	/* enum msg_kind */
	MSG_EXIT, MSG_RETRY, MSG_STOP, MSG_TERMINATE,
	/* the wire between engine and keeper */
	SPAWN, TERM, KILL, ACK, UP, NOT_UP, EXITED
};

mtype state[NODES] = STOPPED;
mtype outcome[NODES] = NOTHING;
mtype mode[NODES] = DOWN;      /* of the supervisors */
mtype phase[NODES] = PHASE_NONE; /* of the workers */
bool killed[NODES];
byte inc[NODES];
byte window[NODES];            /* restarts remembered */
byte cursor[NODES];
byte range_end[NODES];
byte from[NODES];
bool issued[NODES];
mtype strategy[NODES];
mtype restart_of_s;
bool shutting_down, done;
bool moved;                    /* a supervisor did something */
byte k;                        /* the child under the cursor */

/* Only the root and S have a mailbox; index it by the node. */
chan mail[NODES] = [8] of { mtype, byte, byte };
chan to_engine = [8] of { mtype, byte, byte };

/* What the keeper knows of each slot. */
bool live[NODES];
bool told[NODES];  /* an end that the engine has not acknowledged */
bool termed[NODES];
bool up[NODES];
byte proc_inc[NODES];
byte crashes, fails, doubles, forgets; /* how many may still happen */
bool terminated;

/* Ghosts: ends that were, ends that were decided about. */
byte n_ends, n_decided;
byte decided_inc[NODES]; /* the last incarnation decided about */

inline decided(c)
{
	assert(decided_inc[c] < inc[c]);
	decided_inc[c] = inc[c];
	n_decided++;
}

/* ---- the keeper and its processes ----------------------------------------- */

inline ends(w)
{
	live[w] = false;
	told[w] = true;
	termed[w] = false;
	up[w] = false;
	n_ends++;
	to_engine ! EXITED, w, proc_inc[w]
}

/*
 * The keeper does at once what the engine says.  Nothing is lost by that: what
 * crosses on the way is in to_engine, and a keeper that is late looks to the
 * engine like a process that is.
 */
inline keeper_take(what, w, i)
{
	if
	:: what == SPAWN ->
		/* Never two live copies; and the last end is known. */
		assert(!live[w] && !told[w] && i > proc_inc[w]);
		proc_inc[w] = i;
		if
		:: live[w] = true
		:: fails > 0 -> fails--; to_engine ! NOT_UP, w, i
		fi
	:: what == TERM && live[w] && proc_inc[w] == i -> termed[w] = true
	:: what == KILL && live[w] && proc_inc[w] == i -> ends(w)
	:: what == ACK && proc_inc[w] == i -> told[w] = false
	:: else -> skip
	fi
}

/* ---- worker.c ----------------------------------------------------------- */

inline start_failed(c)
{
	phase[c] = PHASE_NONE;
	outcome[c] = FAILED;
	state[c] = STOPPED;
}

inline worker_start(c)
{
	inc[c]++;
	killed[c] = false;
	if
	:: shutting_down -> start_failed(c)
	:: else ->
		state[c] = STARTING;
		phase[c] = PHASE_SPAWN;
		keeper_take(SPAWN, c, inc[c])
	fi
}

inline worker_abort(c)
{
	phase[c] = PHASE_ABORT;
	keeper_take(TERM, c, inc[c])
}

inline worker_event(ev, c, i)
{
	if
	:: BROKEN != 1 && i != inc[c] -> skip /* an incarnation that is over: X-1 */
	:: else ->
		if
		:: ev == UP && phase[c] == PHASE_SPAWN ->
			phase[c] = PHASE_RUN;
			outcome[c] = OK;
			state[c] = READY
		:: ev == NOT_UP && (phase[c] == PHASE_SPAWN ||
			phase[c] == PHASE_ABORT) ->
			start_failed(c)
		:: ev == EXITED && (phase[c] == PHASE_SPAWN ||
			phase[c] == PHASE_ABORT) ->
			decided(c);
			start_failed(c)
		:: ev == EXITED && phase[c] == PHASE_RUN ->
			phase[c] = PHASE_NONE;
			state[c] = ENDED;
			mail[parent(c)] ! MSG_EXIT, c, inc[c]
		:: ev == EXITED && phase[c] == PHASE_STOP ->
			phase[c] = PHASE_NONE;
			decided(c);
			state[c] = STOPPED
		:: else -> skip
		fi
	fi;
	if
	:: ev == EXITED -> keeper_take(ACK, c, i)
	:: else -> skip
	fi
}

/* ---- sup.c ---------------------------------------------------------------- */

inline child_start(c)
{
	assert(state[c] == STOPPED);
	outcome[c] = NOTHING;
	if
	:: is_sup(c) ->
		assert(mode[c] == DOWN);
		inc[c]++;
		window[c] = 0;
		state[c] = STARTING;
		mode[c] = BOOT;
		cursor[c] = first(c);
		range_end[c] = NONE;
		issued[c] = false
	:: else -> worker_start(c)
	fi
}

inline child_stop(c)
{
	if
	:: state[c] == READY && is_sup(c) ->
		state[c] = STOPPING;
		mail[c] ! MSG_STOP, c, inc[c]
	:: state[c] == READY && !is_sup(c) ->
		state[c] = STOPPING;
		phase[c] = PHASE_STOP;
		keeper_take(TERM, c, inc[c])
	:: state[c] == ENDED -> /* R-7: its exit is swallowed */
		if
		:: is_sup(c) -> skip
		:: else -> decided(c)
		fi;
		state[c] = STOPPED
	:: state[c] == WAITING -> state[c] = STOPPED /* R-6 */
	:: else -> skip
	fi
}

inline begin_shutdown(s)
{
	mode[s] = SHUTDOWN;
	cursor[s] = last(s);
	range_end[s] = NONE
}

inline begin_group_restart(s, c)
{
	mode[s] = RESTART_STOP;
	cursor[s] = last(s);
	range_end[s] = c;
	from[s] = c
}

inline restart(s, c)
{
	state[c] = STOPPED;
	if
	:: window[s] == INTENSITY -> begin_shutdown(s) /* E-1 */
	:: else ->
		window[s]++;
		if
		:: strategy[s] == REST_FOR_ONE -> begin_group_restart(s, c)
		:: strategy[s] == ONE_FOR_ALL ->
			begin_group_restart(s, first(s))
		:: else ->
			mode[s] = RESTART_START;
			cursor[s] = c;
			range_end[s] = c;
			issued[s] = false
		fi
	fi
}

inline handle(s, kind, c, i)
{
	if
	:: kind == MSG_EXIT && inc[c] == i &&
		(state[c] == ENDED || BROKEN == 3) ->
		if
		:: is_sup(c) -> skip
		:: else -> decided(c)
		fi;
		if /* E-2: a supervisor that gave up has ended `shutdown` */
		:: c == S && restart_of_s == TRANSIENT -> state[c] = STOPPED
		:: else -> restart(s, c)
		fi
	:: kind == MSG_RETRY && !shutting_down &&
		(state[c] == WAITING || BROKEN == 5) ->
		restart(s, c)
	:: kind == MSG_STOP -> begin_shutdown(s)
	:: kind == MSG_TERMINATE ->
		mode[s] = CALL_STOP;
		cursor[s] = c;
		child_stop(c)
	:: else -> skip
	fi
}

inline sup_down(s)
{
	do /* what is left is about children that are down already */
	:: len(mail[s]) > 0 -> mail[s] ? _, _, _
	:: else -> break
	od;
	outcome[s] = (mode[s] == ROLLBACK -> FAILED : OK);
	mode[s] = DOWN;
	if
	:: s == ROOT -> state[s] = STOPPED; done = true
	:: s != ROOT && state[s] == READY ->
		state[s] = ENDED;
		mail[ROOT] ! MSG_EXIT, s, inc[s]
	:: else -> state[s] = STOPPED
	fi
}

inline start_advance(s)
{
	k = cursor[s];
	if
	:: k == NONE ->
		if
		:: mode[s] == BOOT -> outcome[s] = OK; state[s] = READY
		:: else -> skip
		fi;
		mode[s] = IDLE;
		moved = true
	:: k != NONE && !issued[s] ->
		issued[s] = true;
		child_start(k);
		moved = true
	:: k != NONE && issued[s] && outcome[k] == FAILED ->
		if
		:: mode[s] == BOOT -> /* S-3 */
			mode[s] = ROLLBACK;
			cursor[s] = last(s);
			range_end[s] = NONE
		:: else -> /* R-5 */
			state[k] = WAITING;
			mail[s] ! MSG_RETRY, k, inc[k];
			mode[s] = IDLE
		fi;
		moved = true
	:: k != NONE && issued[s] && outcome[k] == OK ->
		cursor[s] = (k == range_end[s] -> NONE
		    : next(s, k));
		issued[s] = false;
		moved = true
	:: else -> skip
	fi
}

inline stop_advance(s)
{
	k = cursor[s];
	if
	:: k == NONE && mode[s] == RESTART_STOP ->
		mode[s] = RESTART_START;
		cursor[s] = from[s];
		range_end[s] = NONE;
		issued[s] = false;
		moved = true
	:: k == NONE && mode[s] != RESTART_STOP ->
		sup_down(s);
		moved = true
	:: k != NONE && (state[k] == STOPPED ||
		(BROKEN == 4 && state[k] == STOPPING)) ->
		cursor[s] = (k == range_end[s] -> NONE
		    : before(s, k));
		moved = true
	:: k != NONE && (state[k] == READY ||
		state[k] == ENDED || state[k] == WAITING) ->
		child_stop(k);
		moved = true
	:: else -> skip
	fi
}

inline sup_advance(s)
{
	if
	:: mode[s] == IDLE && len(mail[s]) > 0 ->
		mail[s] ? msg, node, at;
		handle(s, msg, node, at);
		moved = true
	:: mode[s] == BOOT || mode[s] == RESTART_START -> start_advance(s)
	:: mode[s] == RESTART_STOP || mode[s] == ROLLBACK ||
		mode[s] == SHUTDOWN -> stop_advance(s)
	:: mode[s] == CALL_STOP ->
		k = cursor[s];
		if
		:: state[k] == STOPPED -> mode[s] = IDLE; moved = true
		:: else -> skip
		fi
	:: else -> skip
	fi
}

/* engine_step(): run both until each of them waits; then the invariants. */
inline sup_run()
{
	s = S;
	moved = false;
	do
	:: sup_advance(s);
		if
		:: s == S -> s = ROOT
		:: s == ROOT && moved -> s = S; moved = false
		:: else -> break
		fi
	od;
	s = 0; k = 0; msg = 0; node = 0; at = 0;
	check(ROOT, A, S);
	check(S, U, V)
}

/* check.c */
#define settled(c) (state[c] == STOPPED || state[c] == READY || \
	state[c] == WAITING)
inline check(s, c1, c2)
{
	assert(mode[s] != IDLE || (settled(c1) && settled(c2)));
	assert(mode[s] != DOWN || (state[c1] == STOPPED &&
		state[c2] == STOPPED));
	/* Order: in a stop the later one is down first (T-4, R-2, R-3). */
	assert(!(mode[s] == SHUTDOWN || mode[s] == ROLLBACK) ||
		state[c1] != STOPPING || state[c2] == STOPPED);
	assert(mode[s] != BOOT || cursor[s] != c1 || state[c2] == STOPPED)
}

inline child_start_root()
{
	inc[ROOT] = 1;
	state[ROOT] = STARTING;
	mode[ROOT] = BOOT;
	cursor[ROOT] = A;
	range_end[ROOT] = NONE
}

inline too_long(w)
{
	killed[w] = true;
	if
	:: phase[w] == PHASE_SPAWN -> phase[w] = PHASE_ABORT
	:: else -> skip
	fi;
	keeper_take(KILL, w, inc[w])
}

/* engine.c, shut_down(): starts in progress are given up. */
inline shut_down()
{
	shutting_down = true;
	mail[ROOT] ! MSG_STOP, ROOT, inc[ROOT];
	c = A;
	do
	:: c > V -> break
	:: c <= V && c != S && phase[c] == PHASE_SPAWN ->
		worker_abort(c);
		c++
	:: else -> c++
	od
}

/* A stop or a start may take too long: T-1, D5. */
#define slow(w) (BROKEN != 2 && !killed[w] && (phase[w] == PHASE_STOP || \
	phase[w] == PHASE_ABORT || phase[w] == PHASE_SPAWN))

proctype Engine()
{
	mtype msg, ev;
	byte node, at, c, i, s;

	atomic {
		child_start_root();
		sup_run()
	}
end:	do
	:: atomic {
		if
		:: to_engine ? ev, c, i -> worker_event(ev, c, i)
		:: slow(A) -> too_long(A)
		:: slow(U) -> too_long(U)
		:: slow(V) -> too_long(V)
		:: forgets > 0 && window[ROOT] > 0 ->
			forgets--;
			window[ROOT] = 0
		:: forgets > 0 && window[S] > 0 -> forgets--; window[S] = 0
		:: !terminated && !shutting_down && mode[ROOT] != DOWN ->
			terminated = true;
			if
			:: mail[ROOT] ! MSG_TERMINATE, A, inc[A]
			:: mail[ROOT] ! MSG_TERMINATE, S, inc[S]
			fi
		:: !shutting_down && mode[ROOT] != DOWN -> shut_down()
		fi;
		ev = 0; c = 0; i = 0;
		sup_run()
	}
	od
}

/* ---- the world ------------------------------------------------------------ */

/* What a process may do at any time. */
#define may_end(w)    (live[w] && crashes > 0)
#define may_obey(w)   (BROKEN != 2 && live[w] && termed[w])
#define may_be_up(w)  (live[w] && !up[w])
#define may_double(w) (told[w] && doubles > 0)

/* What a process may do by itself, and the keeper tell twice. */
#define any_of(w) \
	:: atomic { may_end(w) -> crashes--; ends(w) } \
	:: atomic { may_obey(w) -> ends(w) } \
	:: atomic { may_be_up(w) -> up[w] = true; \
		to_engine ! UP, w, proc_inc[w] } \
	:: atomic { may_double(w) -> doubles--; \
		to_engine ! EXITED, w, proc_inc[w] }

proctype Keeper()
{
	do
	any_of(A)
	any_of(U)
	any_of(V)
	/* The last words are read: nothing is alive, nothing is left over. */
	:: atomic { done && empty(to_engine) ->
		assert(!live[A] && !live[U] && !live[V]);
		assert(n_ends == n_decided);
		break }
	od
}

ltl stop_ends { [] (shutting_down -> <> done) }
ltl stop_of_s_ends { [] (state[S] == STOPPING -> <> (state[S] != STOPPING)) }

init {
	atomic {
		if
		:: strategy[ROOT] = ONE_FOR_ONE
		:: strategy[ROOT] = REST_FOR_ONE
		:: strategy[ROOT] = ONE_FOR_ALL
		fi;
		if
		:: strategy[S] = ONE_FOR_ONE
		:: strategy[S] = REST_FOR_ONE
		:: strategy[S] = ONE_FOR_ALL
		fi;
		if
		:: restart_of_s = PERMANENT
		:: restart_of_s = TRANSIENT
		fi;
		if
#ifdef SMALL
		:: crashes = 2
		:: crashes = 1; fails = 1
#else
		:: crashes = 3
		:: crashes = 2; fails = 1; forgets = 1
		:: crashes = 1; fails = 1; doubles = 1
#ifdef LARGE
		:: crashes = 4
		:: crashes = 2; fails = 1; doubles = 1
		:: crashes = 2; doubles = 1; forgets = 1
#endif
#endif
		fi;
		run Engine();
		run Keeper()
	}
}
