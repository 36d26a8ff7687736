/* SPDX-License-Identifier: ISC */
#ifndef KEEPER_RAW_H
#define KEEPER_RAW_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

/*
 * System calls without libc, for a child that runs in the keeper's memory
 * (CLONE_VM): libc would write the keeper's errno, and its setuid() would
 * signal the keeper's threads.  Each returns what the kernel does: a value or
 * -errno.
 *
 * Everything that runs in such a child is in_child: sanitizers keep their
 * shadow of a stack in thread-local storage, which the child shares.
 */

#define in_child                                                               \
	__attribute__((no_sanitize("address"), no_sanitize("undefined")))

/* struct clone_args of linux/sched.h, first 88 bytes (kernel 5.7). */
struct raw_clone_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal;
	uint64_t stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

#if defined(__x86_64__)

in_child static inline long
raw_sys(long n, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "0"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return r;
}

/*
 * clone3 with a stack of its own: the child calls fn(arg) there and exits with
 * its result.  Two returns through one frame, as syscall(SYS_clone3) would
 * make with CLONE_VM, would destroy it.
 */
static inline long
raw_clone3(struct raw_clone_args *a, size_t len, int (*fn)(void *), void *arg)
{
	register void *r8 __asm__("r8") = arg;
	long r;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r8, %%rdi\n\t"
			 "call *%%rdx\n\t"
			 "mov %%eax, %%edi\n\t"
			 "mov %[exit], %%eax\n\t"
			 "syscall\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(r)
			 : "0"((long)SYS_clone3), "D"(a), "S"(len), "d"(fn),
			 "r"(r8), [exit] "i"(SYS_exit)
			 : "rcx", "r11", "memory", "cc");
	return r;
}

#elif defined(__aarch64__)

in_child static inline long
raw_sys(long n, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = n;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory", "cc");
	return x0;
}

static inline long
raw_clone3(struct raw_clone_args *a, size_t len, int (*fn)(void *), void *arg)
{
	register long x8 __asm__("x8") = SYS_clone3;
	register long x0 __asm__("x0") = (long)a;
	register long x1 __asm__("x1") = (long)len;
	register void *x10 __asm__("x10") = (void *)fn;
	register void *x11 __asm__("x11") = arg;

	__asm__ volatile(
	    "svc 0\n\t"
	    "cbnz x0, 1f\n\t"
	    "mov x29, 0\n\t"
	    "mov x30, 0\n\t"
	    "mov x0, x11\n\t"
	    "blr x10\n\t"
	    "mov x8, %[exit]\n\t"
	    "svc 0\n\t"
	    "brk 0\n"
	    "1:"
	    : "+r"(x0)
	    : "r"(x1), "r"(x8), "r"(x10), "r"(x11), [exit] "i"(SYS_exit)
	    : "memory", "cc");
	return x0;
}

#else
#error "supd/keeper/raw.h: no system call sequence for this architecture"
#endif

#endif /* KEEPER_RAW_H */
