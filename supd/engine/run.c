/* SPDX-License-Identifier: ISC */
/*
 * The engine's life: read the configuration, build the tree, then turn frames
 * and timers into events until the keeper ends it.
 *
 * A turn of the loop begins with run_enter(), which samples the clock, and
 * ends with run_leave(), which gives the queued events to the core, looks at
 * what waits for a state, arms the timer and writes what the links could not
 * take at once.
 */
#include "base/clock.h"
#include "base/log.h"
#include "core/trace.h"
#include "engine/gate.h"
#include "engine/gen.h"
#include "engine/main.h"
#include "engine/request.h"
#include "engine/tree.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define EXIT_BROKEN   70 /* EX_SOFTWARE */
#define EXIT_NO_TRACE 73 /* EX_CANTCREAT */
#define EXIT_CONFIG   78 /* EX_CONFIG */

/*
 * Who has so much to read from us is not read from meanwhile: a few requests
 * for a large tree could otherwise ask for more than the link may hold.
 */
#define LINK_PAUSE_BYTES (1u << 20)
#define LINK_MAX_BYTES   (64u << 20)
#define HISTORY_MAX      8192
/* Frames taken from one link before the others get their turn. */
#define FRAMES_A_TURN 256
/* And at most, when the engine is late. */
#define FRAMES_LATE 65536
#define LATE_NS     (50 * NS_PER_MS)

bool
run_grow(void *array, uint32_t *cap, uint32_t len, size_t size)
{
	uint32_t more = *cap != 0 ? *cap * 2 : 16;
	void *p;

	if (len < *cap)
		return true;
	p = reallocarray(*(void **)array, more, size);
	if (p == NULL)
		return false;
	*(void **)array = p;
	*cap = more;
	return true;
}

void
run_broken(struct shell *sh, const char *what, int error)
{
	if (!sh->broken && !sh->done) {
		errno = error;
		log_warn("%s; the engine ends", what);
	}
	sh->broken = true;
	if (sh->loop != NULL)
		loop_stop(sh->loop);
}

void
run_send(struct shell *sh, struct peer *to, enum wire_type type, uint64_t tag,
    const void *body, const void *tail, size_t tail_len)
{
	int r;

	if (sh->broken)
		return;
	r = link_send(&to->link, type, tag, body, tail, tail_len);
	if (r < 0)
		run_broken(sh, to->name, -r);
}

/* ---- events -------------------------------------------------------------- */

void
run_post(struct shell *sh, const struct event *ev)
{
	if (!evqueue_put(&sh->queue, ev))
		run_broken(sh, "event queue", ENOMEM);
}

/* The keeper may forget an exit only when it has had its effect. */
static void
acknowledge(struct shell *sh, const struct event *ev)
{
	struct wire_id id = { .slot = ev->node, .inc = ev->inc };

	run_send(sh, &sh->keeper, WIRE_ACK, 0, &id, NULL, 0);
}

void
trace_line(const struct shell *sh, const char *text)
{
	int64_t ms = sh->now.ns / NS_PER_MS;

	log_debug("%05" PRId64 ".%03" PRId64 " %s", ms / 1000, ms % 1000, text);
}

/* The one door to the core. */
static void
run_event(struct shell *sh, struct event *ev)
{
	struct effects todo = { .emit = effect_emit, .ctx = sh };
	char text[TRACE_LEN];

	ev->now = sh->now;
	if (sh->args->verbose)
		trace_line(sh, trace_event(sh->core, ev, text, sizeof(text)));
	gate_step(sh, ev, &todo);
	if (ev->kind == EV_EXITED)
		acknowledge(sh, ev);
	effect_finish(sh);
}

static void
run_queue(struct shell *sh)
{
	struct event ev;

	while (!sh->broken && evqueue_take(&sh->queue, &ev))
		run_event(sh, &ev);
}

/* ---- turns --------------------------------------------------------------- */

void
run_enter(struct shell *sh)
{
	sh->now = clock_mono();
	sh->wall_ns = clock_wall_ns();
}

static void
arm_tick(struct shell *sh)
{
	mono_t at = sh->ending ? sh->done_by : engine_deadline(sh->core);

	if (mono_is_never(at) || sh->done)
		timer_clear(sh->tick);
	else if (timer_set(sh->tick, at.ns - sh->now.ns) < 0)
		run_broken(sh, "timer", ENOMEM);
}

static void
arm_writable(struct shell *sh, struct peer *p)
{
	if (p->flushing || !link_waiting(&p->link))
		return;
	if (watch_arm(p->writable) < 0)
		run_broken(sh, p->name, ENOMEM);
	p->flushing = true;
}

static bool
is_behind(const struct peer *p)
{
	return p->link.queued_bytes > LINK_PAUSE_BYTES;
}

static void
arm_readable(struct shell *sh, struct peer *p)
{
	if (p->paused == is_behind(p))
		return;
	p->paused = !p->paused;
	if (p->paused)
		watch_disarm(p->readable);
	else if (watch_arm(p->readable) < 0)
		run_broken(sh, p->name, ENOMEM);
}

static void
arm_peer(struct shell *sh, struct peer *p)
{
	arm_writable(sh, p);
	arm_readable(sh, p);
}

void
run_leave(struct shell *sh)
{
	run_queue(sh);
	while (sh->changed && !sh->broken) {
		sh->changed = false;
		request_look(sh);
		run_queue(sh);
	}
	gen_sweep(sh);
	if (sh->broken)
		return;
	arm_tick(sh);
	arm_peer(sh, &sh->keeper);
	arm_peer(sh, &sh->bus);
	arm_peer(sh, &sh->logger);
}

/* Take one frame; false: there is none, or not for now. */
static bool
take_frame(struct peer *p)
{
	struct shell *sh = p->sh;
	const struct wire_hdr *h;
	int r;

	if (is_behind(p) || sh->broken)
		return false;
	r = link_recv(&p->link, sh->frame, &h, NULL, NULL);
	if (r < 0)
		run_broken(sh, p->name, -r);
	if (r <= 0)
		return false;
	p->take(sh, h);
	/* What it led to comes before the next frame. */
	run_queue(sh);
	return true;
}

/*
 * We have not run when we should have: a large reload, a busy machine.  What
 * the bus has said meanwhile counts as if taken just before the deadline that
 * has passed; else workers that beat, or that have become ready, would be
 * killed because we are late.
 */
static void
catch_up(struct shell *sh)
{
	mono_t now = sh->now, due = engine_deadline(sh->core);

	if (mono_is_never(due) || now.ns - due.ns < LATE_NS || sh->ending)
		return;
	sh->now.ns = due.ns - 1;
	for (int i = 0; i < FRAMES_LATE && take_frame(&sh->bus); i++)
		continue;
	sh->now = now;
}

static void
on_tick(void *arg)
{
	struct shell *sh = arg;
	struct event ev = { .kind = EV_TICK };

	run_enter(sh);
	catch_up(sh);
	run_post(sh, &ev);
	effect_end(sh);
	run_leave(sh);
}

static void
on_readable(void *arg)
{
	struct peer *p = arg;
	struct shell *sh = p->sh;

	/* The time is taken for each frame: the one before may have been long.
	 */
	for (int i = 0; i < FRAMES_A_TURN; i++) {
		run_enter(sh);
		catch_up(sh);
		if (!take_frame(p))
			break;
	}
	run_leave(sh);
}

static void
on_writable(void *arg)
{
	struct peer *p = arg;
	int r;

	run_enter(p->sh);
	p->flushing = false;
	r = link_flush(&p->link);
	if (r < 0)
		run_broken(p->sh, p->name, -r);
	run_leave(p->sh);
}

/* ---- beginning and end ----------------------------------------------------
 */

static int
peer_open(struct shell *sh, struct peer *p, const char *name, int fd,
    void (*take)(struct shell *sh, const struct wire_hdr *h))
{
	*p = (struct peer){ .name = name, .sh = sh, .take = take };
	link_init(&p->link, fd, LINK_MAX_BYTES);
	p->readable = watch_new(sh->loop, fd, WATCH_READ, on_readable, p);
	p->writable = watch_new(sh->loop, fd, WATCH_WRITE, on_writable, p);
	return p->readable != NULL && p->writable != NULL ? 0 : -ENOMEM;
}

static void
peer_close(struct peer *p)
{
	if (p->sh == NULL)
		return;
	watch_free(p->readable);
	watch_free(p->writable);
	link_fini(&p->link);
}

/* The creator of a socketpair is its peer for ever: the keeper's uid. */
static void
learn_uid(struct shell *sh)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	sh->supd_uid = geteuid();
	sh->supd_gid = getegid();
	if (getsockopt(ROLE_FD_KEEPER, SOL_SOCKET, SO_PEERCRED, &cred, &len) ==
	    0) {
		sh->supd_uid = cred.uid;
		sh->supd_gid = cred.gid;
	}
}

/* The keeper's table, read-only.  Its size says how many slots there are. */
static int
map_slots(struct shell *sh)
{
	const struct slot_table *t;
	struct stat st;

	if (fstat(ENGINE_FD_SLOTS, &st) < 0)
		return -errno;
	if ((size_t)st.st_size < sizeof(*t))
		return -EINVAL;
	t = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED,
	    ENGINE_FD_SLOTS, 0);
	if (t == MAP_FAILED)
		return -errno;
	sh->slots = t;
	sh->slots_size = (size_t)st.st_size;
	if (t->magic != SLOTS_MAGIC ||
	    t->n > (sh->slots_size - sizeof(*t)) / sizeof(t->slot[0]))
		return -EINVAL;
	return 0;
}

static int
load(struct shell *sh)
{
	cleanup_(buf_fini) struct buf messages = { 0 };
	struct conf *conf;
	int r = conf_load(sh->args->conf_path, &conf, &messages);

	if (messages.len > 0)
		(void)!write(STDERR_FILENO, messages.data, messages.len);
	if (r < 0)
		return r;
	sh->gen = gen_new(sh, conf);
	return sh->gen != NULL ? 0 : -ENOMEM;
}

/* As many nodes as there are slots, but for those of probes. */
static uint32_t
capacity(const struct shell *sh)
{
	uint32_t n = sh->slots->n;

	return n > 1 ? n - 1 - aux_reserve(n) : 0;
}

static int
build(struct shell *sh)
{
	int r;

	aux_init(sh, sh->slots->n, capacity(sh));
	r = tree_build(sh, capacity(sh));

	if (r == -ENOSPC)
		log_warnx("%s has %u nodes, more than the %u that fit; raise "
			  "RLIMIT_NOFILE (ulimit -Hn), of which each takes "
			  "one, or use a smaller tree",
		    sh->args->conf_path, sh->gen->conf->n_nodes, capacity(sh));
	return r;
}

static int
open_all(struct shell *sh)
{
	sh->frame = malloc(WIRE_FRAME_MAX);
	if (sh->frame == NULL || loop_open(&sh->loop) < 0 ||
	    history_init(&sh->history, HISTORY_MAX) < 0)
		return -ENOMEM;
	sh->tick = timer_new(sh->loop, on_tick, sh);
	if (sh->tick == NULL ||
	    peer_open(sh, &sh->keeper, "link to the keeper", ROLE_FD_KEEPER,
		input_keeper) < 0 ||
	    peer_open(sh, &sh->bus, "link to the bus", ENGINE_FD_BUS,
		input_bus) < 0 ||
	    peer_open(sh, &sh->logger, "link to the logger", ENGINE_FD_LOGGER,
		input_logger) < 0)
		return -ENOMEM;
	return 0;
}

static void
close_all(struct shell *sh)
{
	request_fini(sh);
	gate_close(sh);
	tree_fini(sh);
	aux_fini(sh);
	lookups_fini(&sh->lookups);
	evqueue_fini(&sh->queue);
	free(sh->after);
	peer_close(&sh->keeper);
	peer_close(&sh->bus);
	peer_close(&sh->logger);
	timer_free(sh->tick);
	if (sh->history.ring != NULL)
		history_fini(&sh->history);
	loop_close(sh->loop);
	free(sh->frame);
	if (sh->slots != NULL)
		munmap((void *)(uintptr_t)sh->slots, sh->slots_size);
	gen_unref(sh->gen);
	gen_sweep(sh);
}

void
run_spawn_interval(struct shell *sh)
{
	uint32_t rate = sh->gen->conf->root->sup.start_rate;

	gate_set_spawn_interval(sh, rate > 0 ? NS_PER_S / rate : 0);
}

static void
boot(struct shell *sh)
{
	struct event ev = { .kind = EV_BOOT };

	run_enter(sh);
	run_spawn_interval(sh);
	run_send(sh, &sh->keeper, WIRE_UP, 0, NULL, NULL, 0);
	for (node_t n = tree_next(sh, NODE_ROOT, NODE_NONE); n != NODE_NONE;
	     n = tree_next(sh, NODE_ROOT, n))
		tree_prepare(sh, n);
	log_info("%s: %u nodes; starting %s", sh->args->conf_path,
	    sh->gen->conf->n_nodes, sh->nodes[NODE_ROOT].path);
	run_post(sh, &ev);
	run_leave(sh);
}

/* A Ctrl-C reaches the whole terminal; the keeper alone decides what it means.
 */
static void
ignore_signals(void)
{
	static const int sigs[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };

	for (size_t i = 0; i < ARRAY_LEN(sigs); i++)
		signal(sigs[i], SIG_IGN);
}

static int
run(struct shell *sh)
{
	int r = load(sh);

	if (r < 0)
		return EXIT_CONFIG;
	r = map_slots(sh);
	if (r < 0) {
		errno = -r;
		log_warn("slot table");
		return EXIT_BROKEN;
	}
	if (gate_open(sh, capacity(sh)) < 0)
		return EXIT_NO_TRACE;
	r = build(sh);
	if (r == 0)
		r = open_all(sh);
	if (r == -ENOSPC)
		return EXIT_CONFIG;
	if (r < 0) {
		errno = -r;
		log_warn("cannot begin");
		return EXIT_BROKEN;
	}
	boot(sh);
	if (!sh->broken && loop_run(sh->loop) < 0)
		run_broken(sh, "event loop", EIO);
	return sh->done ? 0 : EXIT_BROKEN;
}

int
engine_main(const struct role_args *args)
{
	struct shell sh = { .args = args };
	int code;

	TAILQ_INIT(&sh.dead_gens);
	TAILQ_INIT(&sh.requests);
	TAILQ_INIT(&sh.lookups);
	ignore_signals();
	learn_uid(&sh);
	code = run(&sh);
	close_all(&sh);
	return code;
}
