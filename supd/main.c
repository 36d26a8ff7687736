/* SPDX-License-Identifier: ISC */

/*
 * supd: finds its role and its places, and becomes it.  Without --role it is
 * the keeper, which executes this program again for the others.
 */

#include "bus/main.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/role.h"
#include "conf/conf.h"
#include "engine/main.h"
#include "keeper/main.h"
#include "logger/main.h"

#include <getopt.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

static const struct {
	const char *name;
	int (*run)(const struct role_args *args);
} roles[] = {
	{ "keeper", keeper_main },
	{ "engine", engine_main },
	{ "bus", bus_main },
	{ "logger", logger_main },
};

struct options {
	struct role_args args;
	const char *role; /* NULL: none was given */
	bool check;       /* -n */
};

static void
usage(FILE *f)
{
	fputs(
	    "usage: supd [-fnv] [-c FILE] [-s SOCKET]\n"
	    "  -c FILE    configuration (supd.yaml(5))\n"
	    "  -f         stay in the foreground (always)\n"
	    "  -n         check the configuration, print it, and exit\n"
	    "  -s SOCKET  control socket; its directory is the run directory\n"
	    "  -v         log every step\n"
	    "  --schema   print the JSON Schema of the configuration\n"
	    "  --trace FILE  record what supd decides, and from what\n"
	    "  --version  print the version\n",
	    f);
}

/* Strings of the options live as long as the process. */
static const char *
join(const char *dir, const char *name)
{
	char *s;

	if (asprintf(&s, "%s/%s", dir, name) < 0) {
		fputs("supd: out of memory\n", stderr);
		exit(EX_OSERR);
	}
	return s;
}

static const char *
absolute(const char *path)
{
	char cwd[PATH_MAX];

	if (path[0] == '/')
		return path;
	if (getcwd(cwd, sizeof(cwd)) == NULL) {
		fprintf(stderr,
		    "supd: current directory: %s; give %s in "
		    "full\n",
		    strerror(errno), path);
		exit(EX_OSERR);
	}
	return join(cwd, path);
}

static const char *
home_dir(void)
{
	const char *home = getenv("HOME");
	const struct passwd *pw;

	if (home != NULL && home[0] == '/')
		return home;
	pw = getpwuid(getuid());
	return pw != NULL ? pw->pw_dir : "/";
}

static const char *
user_run_dir(void)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	char name[32];

	if (xdg != NULL && xdg[0] == '/')
		return join(xdg, "supd");
	/* The keeper refuses it if somebody else has made it. */
	snprintf(name, sizeof(name), "supd-%u", getuid());
	return join("/tmp", name);
}

/* What was not given: the system's places as root, else the user's. */
static void
set_places(struct options *o)
{
	struct role_args *a = &o->args;
	const char *log_dir = getenv("SUPD_LOGDIR");
	bool root = geteuid() == 0;

	if (a->conf_path == NULL)
		a->conf_path = root
		                   ? "/etc/supd/supd.yaml"
		                   : join(home_dir(), ".config/supd/supd.yaml");
	a->conf_path = absolute(a->conf_path);
	if (a->trace_path != NULL)
		a->trace_path = absolute(a->trace_path);
	if (a->log_dir == NULL && log_dir != NULL && log_dir[0] != '\0')
		a->log_dir = absolute(log_dir);
	if (a->socket != NULL && a->run_dir == NULL) {
		char *dir;

		a->socket = absolute(a->socket);
		dir = strdup(a->socket);
		if (dir == NULL)
			exit(EX_OSERR);
		*strrchr(dir, '/') = '\0';
		a->run_dir = dir[0] != '\0' ? dir : "/";
		if (a->log_dir == NULL)
			a->log_dir = join(a->run_dir, "logs");
	}
	if (a->run_dir == NULL)
		a->run_dir = root ? "/run/supd" : user_run_dir();
	if (a->socket == NULL)
		a->socket = join(a->run_dir, "control.sock");
	if (a->log_dir == NULL)
		a->log_dir = root ? "/var/log/supd"
		                  : join(home_dir(), ".local/state/supd");
}

static int
print_schema(void)
{
	struct buf text = { 0 };
	int code = EX_OK;

	conf_print_schema(&text);
	fputs(buf_str(&text), stdout);
	if (text.failed || fflush(stdout) != 0) {
		fputs("supd: cannot print the schema\n", stderr);
		code = EX_IOERR;
	}
	buf_fini(&text);
	return code;
}

static int
parse(int argc, char **argv, struct options *o)
{
	enum { OPT_ROLE = 256, OPT_SCHEMA, OPT_TRACE, OPT_VERSION, OPT_HELP };
	static const struct option longs[] = {
		{ "role", required_argument, NULL, OPT_ROLE },
		{ "schema", no_argument, NULL, OPT_SCHEMA },
		{ "trace", required_argument, NULL, OPT_TRACE },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ "help", no_argument, NULL, OPT_HELP },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while (
	    (c = getopt_long(argc, argv, "c:fhns:vL:R:", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->args.conf_path = optarg;
			break;
		case 'f':
			break; /* there is no background */
		case 'n':
			o->check = true;
			break;
		case 's':
			o->args.socket = optarg;
			break;
		case 'v':
			o->args.verbose = true;
			break;
		case 'L':
			o->args.log_dir = optarg;
			break;
		case 'R':
			o->args.run_dir = optarg;
			break;
		case OPT_ROLE:
			o->role = optarg;
			break;
		case OPT_SCHEMA:
			exit(print_schema());
		case OPT_TRACE:
			o->args.trace_path = optarg;
			break;
		case OPT_VERSION:
			puts("supd " SUPD_VERSION);
			exit(EX_OK);
		case 'h':
		case OPT_HELP:
			usage(stdout);
			exit(EX_OK);
		default:
			usage(stderr);
			return EX_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(
		    stderr, "supd: unexpected argument: %s\n", argv[optind]);
		usage(stderr);
		return EX_USAGE;
	}
	return EX_OK;
}

static int
check_conf(const char *path)
{
	struct buf errors = { 0 }, text = { 0 };
	struct conf *conf = NULL;
	int code = EX_OK, r;

	r = conf_load(path, &conf, &errors);
	fputs(buf_str(&errors), stderr);
	if (r < 0) {
		code = EX_CONFIG;
	} else {
		conf_print(conf, &text);
		fputs(buf_str(&text), stdout);
		if (text.failed || fflush(stdout) != 0) {
			fprintf(stderr, "supd: cannot print %s\n", path);
			code = EX_IOERR;
		}
		conf_free(conf);
	}
	buf_fini(&errors);
	buf_fini(&text);
	return code;
}

int
main(int argc, char **argv)
{
	char *argv0_end = argv[0] + strlen(argv[0]);
	static struct options o; /* its strings live as long as we do */
	int r;

	setproctitle_init(argc, argv, environ);
	r = parse(argc, argv, &o);
	if (r != EX_OK)
		return r;
	set_places(&o);
	if (o.check)
		return check_conf(o.args.conf_path);
	if (o.role == NULL)
		o.role = "keeper";
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		if (strcmp(o.role, roles[i].name) != 0)
			continue;
		/* Not "exe", as /proc/self/exe would have it. */
		prctl(PR_SET_NAME, "supd");
		setproctitle("%s", o.role);
		/* libbsd leaves a dot there, which ps would show. */
		if (*argv0_end == '.' &&
		    strlen(argv[0]) < (size_t)(argv0_end - argv[0]))
			*argv0_end = '\0';
		log_init(o.role, o.args.verbose);
		return roles[i].run(&o.args);
	}
	fprintf(stderr, "supd: no such role: %s\n", o.role);
	return EX_USAGE;
}
