/* SPDX-License-Identifier: ISC */
#include "engine/history.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[HIST_KIND_N] = {
	[HIST_STARTING] = "starting",
	[HIST_READY] = "ready",
	[HIST_STOPPING] = "stopping",
	[HIST_STOPPED] = "stopped",
	[HIST_EXITED] = "exited",
	[HIST_ENDED] = "ended",
	[HIST_START_ERROR] = "start_error",
	[HIST_WAITING] = "waiting",
	[HIST_RESTART] = "restart",
	[HIST_GAVE_UP] = "gave_up",
	[HIST_AUTO_SHUTDOWN] = "auto_shutdown",
	[HIST_SHUTDOWN_ERROR] = "shutdown_error",
	[HIST_SIGNAL] = "signal",
	[HIST_HOOK] = "hook",
	[HIST_HOOK_FAILED] = "hook_failed",
	[HIST_UNHEALTHY] = "unhealthy",
	[HIST_LIFETIME] = "lifetime",
	[HIST_ADDED] = "added",
	[HIST_REMOVED] = "removed",
	[HIST_RELOAD] = "reload",
};

/* In place of a text that no memory was left for; never freed. */
static const char no_text[] = "";

const char *
hist_kind_name(enum hist_kind k)
{
	return k < HIST_KIND_N ? kind_names[k] : "unknown";
}

static const char *
text_dup(const char *s)
{
	const char *copy = s != NULL && *s != '\0' ? strdup(s) : NULL;

	return copy != NULL ? copy : no_text;
}

static void
text_free(const char *s)
{
	if (s != no_text)
		free((void *)(uintptr_t)s);
}

int
history_init(struct history *h, uint32_t cap)
{
	assert(cap > 0);
	*h = (struct history){ .cap = cap, .next = 1 };
	h->ring = calloc(cap, sizeof(*h->ring));
	return h->ring != NULL ? 0 : -ENOMEM;
}

void
history_fini(struct history *h)
{
	for (uint64_t s = history_first(h); s < h->next; s++) {
		text_free(h->ring[s % h->cap].path);
		text_free(h->ring[s % h->cap].text);
	}
	free(h->ring);
	*h = (struct history){ 0 };
}

uint64_t
history_first(const struct history *h)
{
	return h->next > h->cap ? h->next - h->cap : 1;
}

const struct hist_event *
history_get(const struct history *h, uint64_t seq)
{
	if (seq < history_first(h) || seq >= h->next)
		return NULL;
	return &h->ring[seq % h->cap];
}

/*
 * Our number for the core's.  Events are nearly in the core's order and a
 * cause is nearly always recent or the one asked for last, so walking back is
 * short; 0 when it fell out of the ring.
 */
static uint64_t
find_core(struct history *h, uint64_t core_seq)
{
	uint64_t seq = 0;

	if (core_seq == 0)
		return 0;
	if (core_seq == h->memo_core &&
	    (h->memo_seq == 0 || h->memo_seq >= history_first(h)))
		return h->memo_seq;
	for (uint64_t s = h->next; s-- > history_first(h);) {
		if (h->ring[s % h->cap].core_seq == core_seq) {
			seq = s;
			break;
		}
	}
	h->memo_core = core_seq;
	h->memo_seq = seq;
	return seq;
}

const struct hist_event *
history_add(struct history *h, const struct hist_event *ev)
{
	struct hist_event *slot = &h->ring[h->next % h->cap];
	uint64_t cause = find_core(h, ev->cause);

	if (h->next > h->cap) {
		text_free(slot->path);
		text_free(slot->text);
	}
	*slot = *ev;
	slot->seq = h->next++;
	slot->cause = cause;
	slot->path = text_dup(ev->path);
	slot->text = text_dup(ev->text);
	/* A cause asked for before its event came must be found from now on. */
	if (ev->core_seq != 0 && ev->core_seq == h->memo_core)
		h->memo_seq = slot->seq;
	return slot;
}

void
history_amend(struct history *h, uint64_t seq, const char *more)
{
	struct hist_event *slot = &h->ring[seq % h->cap];
	char *text;

	if (history_get(h, seq) == NULL ||
	    asprintf(&text, "%s%s", slot->text, more) < 0)
		return;
	text_free(slot->text);
	slot->text = text;
}

void
history_frame(const struct hist_event *ev, struct wire_event *ret_frame)
{
	*ret_frame = (struct wire_event){
		.seq = ev->seq,
		.cause = ev->cause,
		.mono_ns = ev->at.ns,
		.wall_ns = ev->wall_ns,
		.inc = ev->inc,
		.pid = ev->pid,
	};
	strlcpy(
	    ret_frame->kind, hist_kind_name(ev->kind), sizeof(ret_frame->kind));
	strlcpy(ret_frame->path, ev->path, sizeof(ret_frame->path));
	strlcpy(ret_frame->text, ev->text, sizeof(ret_frame->text));
}
