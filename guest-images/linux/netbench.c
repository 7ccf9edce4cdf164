/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TCP stream from or to a server, in the guest: what a full-size packet of it (1,448 bytes of
 * data) costs in exits by kind, from the hypervisor's counters (counters=yes; docs/virtio.md).
 *
 *   netbench ADDRESS PORT send|receive BYTES
 *
 * Sent, and counted as done when the other side has closed its end; or received until it closes.
 * One line of JSON, exits for each packet.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest-images/exits.h"

#define PACKET 1448u /* bytes of data: Ethernet's 1,500 less the headers of IP and TCP */
#define BUFFER 65536u

static void die(const char *what)
{
	fprintf(stderr, "netbench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int connect_to(const char *address, const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int s = socket(AF_INET, SOCK_STREAM, 0);

	if (s < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1)
		die(address);
	if (connect(s, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	return s;
}

static uint64_t send_all(int s, uint64_t bytes)
{
	static char buf[BUFFER];
	uint64_t done = 0;

	while (done < bytes) {
		ssize_t n = write(s, buf, bytes - done < BUFFER ? bytes - done : BUFFER);

		if (n <= 0)
			die("write");
		done += (uint64_t)n;
	}
	if (shutdown(s, SHUT_WR))
		die("shutdown");
	while (read(s, buf, sizeof(buf)) > 0)
		;
	return done;
}

static uint64_t receive_all(int s)
{
	static char buf[BUFFER];
	uint64_t done = 0;
	ssize_t n;

	while ((n = read(s, buf, sizeof(buf))) > 0)
		done += (uint64_t)n;
	if (n < 0)
		die("read");
	return done;
}

static void report(const struct exits *e, uint64_t bytes)
{
	double packets = (double)bytes / PACKET;
	uint64_t exits = 0;
	const char *comma = "";

	printf("{\"bytes\":%llu,\"packets\":%.0f,\"by\":{", (unsigned long long)bytes, packets);
	for (unsigned k = 0; k < e->kinds; k++) {
		if (!e->sum[k])
			continue;
		exits += e->sum[k];
		printf("%s\"%s\":%.4f", comma, e->name[k], (double)e->sum[k] / packets);
		comma = ",";
	}
	printf("},\"exits\":%.4f}\n", (double)exits / packets);
}

int main(int argc, char **argv)
{
	static struct exits e;
	uint64_t bytes;
	int s;

	if (argc != 5 || (strcmp(argv[3], "send") && strcmp(argv[3], "receive"))) {
		fprintf(stderr, "netbench ADDRESS PORT send|receive BYTES\n");
		return 2;
	}
	exits_open(&e);
	s = connect_to(argv[1], argv[2]);
	exits_start(&e);
	bytes = strcmp(argv[3], "send") ? receive_all(s) : send_all(s, strtoull(argv[4], NULL, 0));
	exits_stop(&e);
	if (bytes != strtoull(argv[4], NULL, 0)) {
		fprintf(stderr, "netbench: %llu bytes\n", (unsigned long long)bytes);
		return 1;
	}
	report(&e, bytes);
	return 0;
}
