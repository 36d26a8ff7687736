/* SPDX-License-Identifier: ISC */
/* Says its pid into the FIFO argv[1] first of all, then sleeps. */
#include <fcntl.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	int pid = getpid(), fd;

	fd = argc > 1 ? open(argv[1], O_WRONLY | O_CLOEXEC) : -1;
	if (fd < 0 || write(fd, &pid, sizeof(pid)) != sizeof(pid))
		return 1;
	for (;;)
		pause();
}
