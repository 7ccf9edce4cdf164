/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests to a disk, past all caches, in the guest: what each costs in exits by kind and in ticks
 * of the hypervisor, from its counters (counters=yes; docs/virtio.md).
 *
 *   iobench DEVICE read|write COUNT BYTES DEPTH [sequential]
 *   iobench [DEVICE]     a table of operations, a line each as bench prints them; the first
 *                        disk, whose contents are lost
 *
 * DEPTH requests are kept under way; as many as have ended are submitted again at once. Places are
 * at random from a fixed sequence, so that nothing is merged, unless "sequential" is asked for.
 * What is written are the sectors' numbers. Ticks and exits are for each request; one line of JSON.
 */
#define _GNU_SOURCE /* O_DIRECT */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest-images/exits.h"
#include "guest-images/linux/bench.h"

#define DEPTH_MAX 128
#define BYTES_MAX (1u << 20)

/* Of the table of operations: requests of a batch, batches, ticks after which no more are begun. */
#define TABLE_REQUESTS 256
#define TABLE_BATCHES  15
#define TABLE_BUDGET   200000000ull

static uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

/* Ticks in the hypervisor so far, for exits of a kind. */
static uint64_t ticks_of(unsigned kind)
{
	unsigned r[4];

	exits_cpuid(EXITS_LEAF_COUNTERS, kind, r);
	return (uint64_t)r[3] << 32 | r[2];
}

void die(const char *what)
{
	fprintf(stderr, "iobench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct {
	int fd;
	int write, sequential;
	unsigned count, bytes, depth;
	uint64_t blocks, next;
	uint64_t seed;
	aio_context_t aio;
	char *memory;
} b;

static uint64_t place(void)
{
	if (b.sequential)
		return b.next++ % b.blocks * b.bytes;
	b.seed = b.seed * 6364136223846793005u + 1442695040888963407u;
	return (b.seed >> 33) % b.blocks * b.bytes;
}

static void fill(char *p, uint64_t at)
{
	for (unsigned i = 0; i < b.bytes; i += 512)
		memcpy(p + i, &(uint64_t){ (at + i) / 512 }, 8);
}

static void submit(struct iocb **which, unsigned n)
{
	unsigned done = 0;

	for (unsigned i = 0; i < n; i++) {
		which[i]->aio_offset = (int64_t)place();
		if (b.write)
			fill((char *)which[i]->aio_buf, (uint64_t)which[i]->aio_offset);
	}
	while (done < n) {
		long r = syscall(SYS_io_submit, b.aio, n - done, which + done);

		if (r <= 0)
			die("io_submit");
		done += (unsigned)r;
	}
}

/* All of them, with as many under way as asked for. Returns how often it had to wait. */
static unsigned run(void)
{
	static struct iocb cb[DEPTH_MAX];
	struct iocb *which[DEPTH_MAX];
	struct io_event ev[DEPTH_MAX];
	unsigned left = b.count, under_way, waits = 0;

	for (unsigned i = 0; i < b.depth; i++) {
		cb[i] = (struct iocb){ .aio_lio_opcode = b.write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
			.aio_fildes = (uint32_t)b.fd,
			.aio_buf = (uint64_t)(b.memory + (size_t)i * b.bytes),
			.aio_nbytes = b.bytes };
		which[i] = &cb[i];
	}
	under_way = b.depth < left ? b.depth : left;
	left -= under_way;
	submit(which, under_way);
	while (under_way) {
		long n = syscall(SYS_io_getevents, b.aio, 1, (long)b.depth, ev, NULL);
		unsigned again = 0;

		if (n <= 0)
			die("io_getevents");
		waits++;
		for (long i = 0; i < n; i++) {
			if (ev[i].res != (int64_t)b.bytes) {
				errno = EIO;
				die("a request");
			}
			if (left) {
				which[again++] = (struct iocb *)ev[i].obj;
				left--;
			}
		}
		under_way -= (unsigned)n - again;
		if (again)
			submit(which, again);
	}
	return waits;
}

/* CPUIDs are left out where they are only those of the look at the account. */
static void report(const struct exits *e, const uint64_t *hv_ticks, uint64_t ticks, unsigned waits)
{
	uint64_t exits = 0, hv = 0;
	const char *comma = "";

	printf("{\"requests\":%u,\"bytes\":%u,\"depth\":%u,\"waits\":%u,\"ticks\":%.0f,\"by\":{",
		b.count, b.bytes, b.depth, waits, (double)ticks / b.count);
	for (unsigned k = 0; k < e->kinds; k++) {
		if (!e->sum[k])
			continue;
		exits += e->sum[k];
		hv += hv_ticks[k];
		printf("%s\"%s\":[%.3f,%.0f]", comma, e->name[k], (double)e->sum[k] / b.count,
			(double)hv_ticks[k] / b.count);
		comma = ",";
	}
	printf("},\"exits\":%.3f,\"hv_ticks\":%.0f}\n", (double)exits / b.count,
		(double)hv / b.count);
}

static void prepare(const char *device, const char *what, unsigned bytes, unsigned depth)
{
	uint64_t size;

	b.write = !strcmp(what, "write");
	b.bytes = bytes;
	b.depth = depth;
	b.fd = open(device, O_RDWR | O_DIRECT);
	if (b.fd < 0)
		die(device);
	if (ioctl(b.fd, BLKGETSIZE64, &size) || size < b.bytes)
		die("BLKGETSIZE64");
	b.blocks = size / b.bytes;
	if (posix_memalign((void **)&b.memory, 4096, (size_t)b.depth * b.bytes))
		die("memory");
	memset(b.memory, 0, (size_t)b.depth * b.bytes);
	b.aio = 0; /* io_setup() wants it so */
	if (syscall(SYS_io_setup, b.depth, &b.aio))
		die("io_setup");
}

static void release(void)
{
	syscall(SYS_io_destroy, b.aio);
	free(b.memory);
	close(b.fd);
}

static void requests(unsigned n)
{
	b.count = n;
	run();
}

/* It writes to a disk that nobody named: not to that of a person's own machine. */
static void guest_only(void)
{
	struct exits e;

	exits_open(&e);
	if (!e.kinds) {
		fprintf(stderr, "iobench: a guest of Triptych with counters is expected; "
				"the disk's contents would be lost\n");
		exit(2);
	}
}

static void table(const char *device)
{
	static const struct {
		const char *what;
		unsigned bytes, depth;
		const char *name;
	} rows[] = {
		{ "read", 4096, 1, "disk-read-4k" },
		{ "write", 4096, 1, "disk-write-4k" },
		{ "read", 4096, 32, "disk-read-4k-depth-32" },
		{ "write", 4096, 32, "disk-write-4k-depth-32" },
		{ "read", 65536, 1, "disk-read-64k" },
		{ "write", 65536, 1, "disk-write-64k" },
	};

	guest_only();
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bench op = { .name = rows[i].name,
			.pages = rows[i].bytes / PAGE,
			.operations = TABLE_REQUESTS,
			.all = requests };

		prepare(device, rows[i].what, rows[i].bytes, rows[i].depth);
		measure(&op, TABLE_BATCHES, TABLE_BUDGET);
		release();
	}
}

static const char *first_disk(void)
{
	static const char *const disks[] = { "/dev/vda", "/dev/sda" };

	for (unsigned i = 0; i < ARRAY_SIZE(disks); i++)
		if (!access(disks[i], F_OK))
			return disks[i];
	errno = ENOENT;
	die("/dev/vda or /dev/sda");
}

int main(int argc, char **argv)
{
	static struct exits e;
	uint64_t hv[EXITS_KINDS_MAX], start, ticks;
	unsigned waits, bytes, depth;

	if (argc <= 2) {
		table(argc == 2 ? argv[1] : first_disk());
		return 0;
	}
	if (argc < 6) {
		fprintf(stderr, "iobench DEVICE read|write COUNT BYTES DEPTH [sequential]\n"
				"iobench [DEVICE]\n");
		return 2;
	}
	b.count = (unsigned)atoi(argv[3]);
	bytes = (unsigned)atoi(argv[4]);
	depth = (unsigned)atoi(argv[5]);
	b.sequential = argc > 6;
	if (!b.count || !bytes || bytes % 512 || bytes > BYTES_MAX || !depth || depth > DEPTH_MAX) {
		fprintf(stderr, "iobench: numbers that make no sense\n");
		return 2;
	}
	prepare(argv[1], argv[2], bytes, depth);
	exits_open(&e);
	for (unsigned k = 0; k < e.kinds; k++)
		hv[k] = ticks_of(k);
	exits_start(&e);
	start = rdtsc();
	waits = run();
	ticks = rdtsc() - start;
	exits_stop(&e);
	for (unsigned k = 0; k < e.kinds; k++)
		hv[k] = ticks_of(k) - hv[k];
	report(&e, hv, ticks, waits);
	return 0;
}
