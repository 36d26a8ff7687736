/* SPDX-License-Identifier: ISC */
/*
 * The thread that sends what waits to be sent together, when the program does
 * not come into libmsg for so long: libmsg's only one.  It is there in bursts,
 * asleep between them, and ends when there was none for a second.
 */
#include "pipe.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#define NAP_NS      (100 * 1000)
#define NAP_MAX_NS  (50 * NS_PER_MS) /* while nobody takes anything */
#define IDLE_NAPS   10               /* how many for nothing, then it sleeps */
#define SLEEP_MS    1000
#define STACK_BYTES (128 * 1024)

static struct {
	pthread_t thread;
	pthread_cond_t kick;
	bool has_cond;
	bool exists;  /* and has to be joined */
	bool running; /* it will look again by itself, or when kicked */
	bool asleep;
	bool stop;
} f;

static void
nap(int64_t ns)
{
	struct timespec t = { .tv_nsec = ns };

	mailbox_unlock();
	(void)nanosleep(&t, NULL);
	mailbox_lock();
}

/* Sleep until something waits.  False: nothing did for long. */
static bool
sleep_until_kicked(void)
{
	int64_t until = clock_deadline(SLEEP_MS);
	struct timespec t = { .tv_sec = until / 1000000000,
		.tv_nsec = until % 1000000000 };
	int r = 0;

	f.asleep = true;
	while (!f.stop && batch_none() && r == 0)
		r = mailbox_sleep(&f.kick, &t);
	f.asleep = false;
	return !f.stop && !batch_none();
}

static void *
run(void *arg)
{
	int64_t ns = NAP_NS;
	unsigned idle = 0;

	(void)arg;
	mailbox_lock();
	while (!f.stop) {
		nap(ns);
		if (f.stop)
			break;
		if (batch_none()) {
			ns = NAP_NS;
			if (++idle >= IDLE_NAPS && !sleep_until_kicked())
				break;
			continue;
		}
		idle = 0;
		batch_flush_all();
		ns = batch_none()          ? NAP_NS
		     : ns * 2 < NAP_MAX_NS ? ns * 2
		                           : NAP_MAX_NS;
	}
	f.running = false;
	mailbox_unlock();
	return NULL;
}

/* Without signals: they are the program's. */
static bool
start(void)
{
	pthread_attr_t attr;
	sigset_t all, old;

	if (pthread_attr_init(&attr) != 0)
		return false;
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	f.exists = pthread_create(&f.thread, &attr, run, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return f.exists;
}

bool
flusher_kick(void)
{
	pthread_condattr_t attr;

	if (f.running) {
		if (f.asleep)
			pthread_cond_signal(&f.kick);
		return true;
	}
	if (f.stop)
		return false;
	if (!f.has_cond) {
		pthread_condattr_init(&attr);
		pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
		pthread_cond_init(&f.kick, &attr);
		pthread_condattr_destroy(&attr);
		f.has_cond = true;
	}
	/* One that has ended by itself needs the lock no more. */
	if (f.exists)
		pthread_join(f.thread, NULL);
	f.running = true;
	f.running = start();
	return f.running;
}

void
flusher_stop(void)
{
	f.stop = true;
	if (f.exists) {
		if (f.asleep)
			pthread_cond_signal(&f.kick);
		mailbox_unlock();
		pthread_join(f.thread, NULL);
		mailbox_lock();
	}
	f.exists = false;
}

void
flusher_open(void)
{
	f.stop = false;
}
