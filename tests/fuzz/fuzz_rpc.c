/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever comes on the control channel, in pieces: each answer is one line of JSON, calls have
 * arguments that were checked, and after it all a request is answered as ever.
 *
 * Sources: hv/ctl/rpc.c hv/ctl/json.c hv/ctl/answer.c hv/ctl/out.c hv/ctl/command.c hv/ctl/table.c
 * hv/ctl/log.c
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/rpc_machine.h"

#define LAST	  "\n{\"jsonrpc\":\"2.0\",\"id\":\"last\",\"method\":\"vms\"}\n"
#define ANSWER	  "{\"jsonrpc\":\"2.0\",\"id\":\"last\",\"result\":{}}\n"
#define PIECE_MAX 64u

static void check_lines(void)
{
	static struct json j;
	char *line = rm.out, *end;

	for (; *line; line = end + 1) {
		end = strchr(line, '\n');
		CHECK(end);
		CHECK(json_parse(&j, line, (size_t)(end - line)) == OK);
		CHECK(json_get(&j, j.value, "jsonrpc"));
	}
}

/* The first byte says in which pieces the others come. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	size_t piece = size ? data[0] % PIECE_MAX + 1u : 1;

	rpc_machine_start();
	for (size_t at = 1; at < size; at += piece) {
		rm.out_len = 0;
		rm.out[0] = '\0';
		arrive(data + at, MIN(piece, size - at));
		check_lines();
	}
	rm.out_len = 0;
	arrive(LAST, strlen(LAST));
	CHECK(rm.out_len >= strlen(ANSWER));
	CHECK(!strcmp(rm.out + rm.out_len - strlen(ANSWER), ANSWER));
	return 0;
}
