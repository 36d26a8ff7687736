/* SPDX-License-Identifier: ISC */
#include "ctl/opts.h"

#include "ctl/sockpath.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <strings.h>

#define COUNT_DEFAULT 20
#define COUNT_MAX     1000000
#define REPEAT_MAX    1000 /* the engine takes no more */

enum {
	OPT_TIMEOUT = 256,
	OPT_NO_COLOR,
	OPT_JSON,
	OPT_WAIT,
	OPT_NO_WAIT,
	OPT_FOR,
	OPT_STRICT,
	OPT_SINCE,
	OPT_REPEAT,
	OPT_EVERY,
	OPT_DRY_RUN,
	OPT_APPLY
};

static const struct option longs[] = {
	{ "socket", required_argument, NULL, 'S' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "quiet", no_argument, NULL, 'q' },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "no-color", no_argument, NULL, OPT_NO_COLOR },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "wait", no_argument, NULL, OPT_WAIT },
	{ "no-wait", no_argument, NULL, OPT_NO_WAIT },
	{ "tree", no_argument, NULL, 't' },
	{ "follow", no_argument, NULL, 'f' },
	{ "lines", required_argument, NULL, 'n' },
	{ "signal", required_argument, NULL, 's' },
	{ "for", required_argument, NULL, OPT_FOR },
	{ "strict", no_argument, NULL, OPT_STRICT },
	{ "since", required_argument, NULL, OPT_SINCE },
	{ "repeat", required_argument, NULL, OPT_REPEAT },
	{ "every", required_argument, NULL, OPT_EVERY },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "apply", no_argument, NULL, OPT_APPLY },
	{ NULL, 0, NULL, 0 },
};

/* What the scan has met besides what goes into struct ctl. */
struct scan {
	const char *socket;
	bool help, version;
};

const char *
opts_signal(const char *name)
{
	const char *end = name;

	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (int sig = 1; sig < NSIG; sig++) {
		const char *abbrev = sigabbrev_np(sig);
		char number[16];

		snprintf(number, sizeof(number), "%d", sig);
		if (abbrev != NULL &&
		    (strcasecmp(abbrev, name) == 0 || strcmp(number, end) == 0))
			return abbrev;
	}
	return NULL;
}

static bool
parse_count(struct ctl *c, const char *arg)
{
	const char *bad;

	c->n = strtonum(arg, 0, COUNT_MAX, &bad);
	if (bad != NULL)
		ctl_errx(c, "-n %s: %s; a number up to %d is wanted", arg, bad,
		    COUNT_MAX);
	return bad == NULL;
}

static bool
parse_repeat(struct ctl *c, const char *arg)
{
	const char *bad;

	c->repeat = strtonum(arg, 1, REPEAT_MAX, &bad);
	if (bad != NULL)
		ctl_errx(c, "--repeat %s: %s; a number from 1 to %d is wanted",
		    arg, bad, REPEAT_MAX);
	return bad == NULL;
}

static bool
parse_every(struct ctl *c, const char *arg)
{
	if (text_parse_duration(arg, &c->every_ns) && c->every_ns > 0)
		return true;
	ctl_errx(c, "--every %s: not a duration like 500ms or 10s", arg);
	return false;
}

static bool
parse_timeout(struct ctl *c, const char *arg)
{
	if (text_parse_duration(arg, &c->timeout_ns))
		return true;
	if (arg[0] != '\0' && arg[strspn(arg, "0123456789")] == '\0')
		ctl_errx(c, "--timeout %s: say the unit: %ss or %sms", arg, arg,
		    arg);
	else
		ctl_errx(c,
		    "--timeout %s: a duration such as 500ms, 10s or "
		    "2m is wanted",
		    arg);
	return false;
}

/* Does the verb take option `opt`?  The general ones were seen before. */
static bool
takes(const struct verb *v, int opt)
{
	static const struct {
		int opt;
		unsigned bit;
	} map[] = {
		{ OPT_WAIT, VERB_WAIT },
		{ OPT_NO_WAIT, VERB_WAIT },
		{ 't', VERB_TREE },
		{ 'f', VERB_FOLLOW },
		{ 'n', VERB_COUNT },
		{ 's', VERB_SIGNAL },
		{ OPT_FOR, VERB_FOR },
		{ OPT_STRICT, VERB_STRICT },
		{ OPT_REPEAT, VERB_REPEAT },
		{ OPT_EVERY, VERB_REPEAT },
		{ OPT_DRY_RUN, VERB_DRY },
		{ OPT_APPLY, VERB_APPLY },
	};

	for (size_t i = 0; i < ARRAY_LEN(map); i++)
		if (map[i].opt == opt)
			return v != NULL && (v->options & map[i].bit) != 0;
	return false;
}

/* Options that only some verbs take; optarg is set where one is needed. */
static bool
take_own(struct ctl *c, int opt)
{
	if (opt == 'n')
		return parse_count(c, optarg);
	if (opt == OPT_REPEAT)
		return parse_repeat(c, optarg);
	if (opt == OPT_EVERY)
		return parse_every(c, optarg);
	if (opt == OPT_WAIT || opt == OPT_NO_WAIT)
		c->wait = opt == OPT_WAIT;
	else if (opt == 't')
		c->tree = true;
	else if (opt == 'f')
		c->follow = true;
	else if (opt == 's')
		c->sig = optarg;
	else if (opt == OPT_FOR)
		c->until = optarg;
	else if (opt == OPT_STRICT)
		c->strict = true;
	else if (opt == OPT_DRY_RUN)
		c->dry_run = true;
	else if (opt == OPT_APPLY)
		c->apply = true;
	return true;
}

/* One option; false if it is wrong, which has been told. */
static bool
take_option(struct ctl *c, struct scan *s, int opt, char *const *argv)
{
	/* getopt(3): the word that was looked at last. */
	const char *word = argv[optind - 1];

	if (opt == 's' && c->verb == NULL)
		opt = 'S';
	switch (opt) {
	case 'S':
		s->socket = optarg;
		return true;
	case OPT_JSON:
		c->json = true;
		return true;
	case 'q':
		c->quiet = true;
		return true;
	case OPT_TIMEOUT:
		return parse_timeout(c, optarg);
	case OPT_NO_COLOR:
		c->color = false;
		return true;
	case 'h':
		s->help = true;
		return true;
	case 'V':
		s->version = true;
		return true;
	case OPT_SINCE:
		ctl_errx(c, "--since: not supported yet");
		return false;
	case ':':
		ctl_errx(c, "%s: its argument is missing", word);
		return false;
	case '?':
		if (optopt > ' ' && optopt < 127)
			ctl_errx(c, "-%c: no such option", optopt);
		else
			ctl_errx(c, "%s: no such option", word);
		return false;
	default:
		break;
	}
	if (takes(c->verb, opt))
		return take_own(c, opt);
	ctl_errx(c, "%s: not an option of %s", word,
	    c->verb != NULL ? c->verb->name
			    : "supctl itself; a verb's "
			      "options stand after it");
	return false;
}

static bool
scan_options(struct ctl *c, struct scan *s, int argc, char **argv)
{
	/* "+": stop at the verb.  Within a verb options may stand anywhere. */
	const char *shorts = c->verb == NULL ? "+:s:qhVtfn:" : ":s:qhVtfn:";
	int opt;

	optind = 0; /* getopt(3): glibc starts afresh */
	opterr = 0;
	while ((opt = getopt_long(argc, argv, shorts, longs, NULL)) != -1)
		if (!take_option(c, s, opt, argv))
			return false;
	return true;
}

static bool
find_verb(struct ctl *c, const char *name)
{
	const char *guess;

	c->verb = verb_find(name);
	if (c->verb != NULL)
		return true;
	guess = verb_guess(name);
	if (verb_is_planned(name))
		ctl_errx(c, "%s: not supported yet", name);
	else if (guess != NULL)
		ctl_errx(c, "%s: no such verb; did you mean %s?", name, guess);
	else
		ctl_errx(c, "%s: no such verb; supctl help lists them", name);
	return false;
}

/* What the options left open comes from the environment. */
static bool
finish(struct ctl *c, const struct scan *s)
{
	struct sockpath from = {
		.option = s->socket,
		.env = getenv("SUPD_SOCKET"),
		.runtime = getenv("XDG_RUNTIME_DIR"),
		.uid = geteuid(),
	};

	if (sockpath_choose(&from, c->socket, sizeof(c->socket)) < 0) {
		ctl_errx(c, "the socket's path is too long: an AF_UNIX path "
			    "has at most 107 bytes");
		return false;
	}
	return true;
}

static bool
count_is_right(struct ctl *c, int argc, char **argv)
{
	if (argc < c->verb->min)
		ctl_errx(c, "%s: an argument is missing", c->verb->name);
	else if (c->verb->max >= 0 && argc > c->verb->max)
		ctl_errx(c, "%s: %s: one argument too many", c->verb->name,
		    argv[c->verb->max]);
	else
		return true;
	return false;
}

bool
opts_parse(struct ctl *c, int argc, char **argv, int *ret_argc,
    char ***ret_argv, int *ret_code)
{
	const char *no_color = getenv("NO_COLOR");
	struct scan s = { 0 };

	*ret_code = CTL_USAGE;
	c->client = CLIENT_NULL;
	c->timeout_ns = CTL_TIMEOUT_NS;
	c->n = COUNT_DEFAULT;
	c->color =
	    isatty(fileno(c->out)) && (no_color == NULL || no_color[0] == '\0');
	if (!scan_options(c, &s, argc, argv)) {
		verb_print_usage(NULL, c->err);
		return false;
	}
	argc -= optind;
	argv += optind;
	if (s.version && argc == 0) {
		fprintf(c->out, "supctl %s\n", SUPD_VERSION);
		*ret_code = CTL_OK;
		return false;
	}
	if (argc == 0) {
		verb_print_all(s.help ? c->out : c->err);
		*ret_code = s.help ? CTL_OK : CTL_USAGE;
		return false;
	}
	if (!find_verb(c, argv[0]))
		return false;
	c->wait = (c->verb->options & VERB_WAIT) != 0 &&
	          (c->verb->options & VERB_ASYNC) == 0;
	if (!scan_options(c, &s, argc, argv)) {
		verb_print_usage(c->verb, c->err);
		return false;
	}
	c->literal = strcmp(argv[optind - 1], "--") == 0;
	argc -= optind;
	argv += optind;
	if (s.help) {
		verb_print_help(c->verb, c->out);
		*ret_code = CTL_OK;
		return false;
	}
	if (!count_is_right(c, argc, argv)) {
		verb_print_usage(c->verb, c->err);
		return false;
	}
	if (!finish(c, &s))
		return false;
	*ret_argc = argc;
	*ret_argv = argv;
	return true;
}
