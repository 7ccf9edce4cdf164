/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bytes -> line -> request -> call -> answer -> line. All on the boot CPU but for events, which are
 * written by the CPU that they occur on.
 */
#include "hv/ctl/rpc.h"

#include <stdarg.h>

#include "hv/ctl/answer.h"
#include "hv/ctl/command.h"
#include "hv/ctl/json.h"
#include "hv/ctl/log.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"
#include "hv/vm/vm.h"
#include "hv/vm/vms.h"

#define ID_MAX	  64u	/* characters of an id, as it stands */
#define BEHIND	  "}\n" /* a result */
#define CHUNK	  64u
#define EVENT_MAX (LOADER_ERR_MAX * 6 + 256)

static struct {
	const struct rpc_port *port;
	bool posted, under_way;
	bool subscribed;
	struct task task;
	char line[RPC_LINE_MAX];
	size_t len;
	bool too_long; /* the rest of the line is dropped */
	struct json json;
	char id[ID_MAX + 1]; /* "": a notification, which has no answer */
	struct call call;
	struct answer answer; /* of the call: "{...,"result":", and then its own */
	u8 chunk[CHUNK];
	size_t chunk_at, chunk_len;
} r;

static void post(void)
{
	if (r.posted)
		return;
	r.posted = true;
	task_post(&r.task, cpu_by_index(0));
}

/* ---- answers ---- */

static void answer_error(int code, const char *fmt, ...) __printf(2, 3);
static void answer_error(int code, const char *fmt, ...)
{
	char text[COMMAND_ERR_MAX], quoted[2 * COMMAND_ERR_MAX];
	char line[ID_MAX + sizeof(quoted) + 80];
	va_list ap;
	int n;

	if (!r.id[0])
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_json_string(quoted, sizeof(quoted), text);
	n = snprintf(line, sizeof(line),
		"{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":%d,\"message\":%s}}\n", r.id,
		code, quoted);
	r.port->write(r.port->ctx, line, MIN((size_t)n, sizeof(line) - 1));
}

/* False: no memory, and that is the answer. */
static bool begin_answer(void)
{
	char before[ID_MAX + 48];

	snprintf(before, sizeof(before), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":", r.id);
	if (answer_begin(&r.answer, &r.call.out, before, strlen(BEHIND), true) == OK)
		return true;
	answer_error(RPC_FAILED, "no memory for an answer");
	return false;
}

static void end_answer(void)
{
	struct out *o = &r.call.out;

	memcpy(o->buf + o->len, BEHIND, sizeof(BEHIND));
	if (r.id[0])
		r.port->write(r.port->ctx, r.answer.text, strlen(r.answer.text));
}

static void call_done(struct call *c)
{
	if (c->ok)
		end_answer();
	else
		answer_error(RPC_FAILED, "%s", c->err);
	answer_drop(&r.answer);
	r.under_way = false;
	post(); /* for what came meanwhile */
}

/* ---- requests ---- */

/* The id as it stands, if it may be one. */
static bool take_id(const struct json_value *id)
{
	size_t quotes, n;

	r.id[0] = '\0';
	if (!id)
		return true;
	quotes = id->type == JSON_STRING;
	n = id->end - id->start + 2 * quotes;
	if ((id->type != JSON_STRING && id->type != JSON_NUMBER) || n > ID_MAX)
		return false;
	memcpy(r.id, r.json.text + id->start - quotes, n);
	r.id[n] = '\0';
	return true;
}

/* The parameters as the words of the command's arguments. */
static bool take_params(const struct command *cmd, const struct json_value *params,
	char text[COMMAND_ARGS][COMMAND_WORD], const char *word[COMMAND_ARGS])
{
	unsigned found = 0, members = 0;

	for (unsigned i = 0; params && i < COMMAND_ARGS && cmd->arg[i].type; i++) {
		const struct json_value *v = json_get(&r.json, params, cmd->arg[i].name);

		if (!v)
			continue;
		if (!json_text(&r.json, v, text[i], COMMAND_WORD)) {
			answer_error(RPC_INVALID_PARAMS,
				"\"%s\" is to be a short string or a number", cmd->arg[i].name);
			return false;
		}
		word[i] = text[i];
		found++;
	}
	for (unsigned i = params ? (unsigned)(params - r.json.value) + 1 : 0;
		params && i < params->next; i = r.json.value[i + 1].next)
		members++;
	if (members == found)
		return true;
	command_usage(cmd, text[0], COMMAND_WORD);
	answer_error(RPC_INVALID_PARAMS, "a parameter too many: %s takes what stands in %s",
		cmd->name, text[0]);
	return false;
}

static void begin_call(const struct command *cmd, const struct json_value *params)
{
	char text[COMMAND_ARGS][COMMAND_WORD];
	const char *word[COMMAND_ARGS] = { NULL };
	struct arg_value value[COMMAND_ARGS];

	if (!take_params(cmd, params, text, word))
		return;
	if (!command_check(cmd, word, value, r.call.err)) {
		answer_error(RPC_INVALID_PARAMS, "%s", r.call.err);
		return;
	}
	if (!begin_answer())
		return;
	r.under_way = true;
	r.call.done = call_done;
	call_begin(&r.call, cmd, word);
}

static void subscribe(void)
{
	WRITE_ONCE(r.subscribed, true);
	if (!begin_answer())
		return;
	out_flag(&r.call.out, "subscribed", true);
	if (out_finish(&r.call.out))
		end_answer();
	answer_drop(&r.answer);
}

static void request(void)
{
	const struct json_value *top = r.json.value, *version, *method, *params;
	const struct command *cmd;
	char name[COMMAND_WORD];

	version = json_get(&r.json, top, "jsonrpc");
	method = json_get(&r.json, top, "method");
	params = json_get(&r.json, top, "params");
	memcpy(r.id, "null", sizeof("null"));
	if (top->type != JSON_OBJECT || !version || !json_is(&r.json, version, "2.0") || !method ||
		method->type != JSON_STRING) {
		answer_error(RPC_INVALID_REQUEST, "an object with \"jsonrpc\":\"2.0\" and a "
						  "\"method\" is expected");
		return;
	}
	if (!take_id(json_get(&r.json, top, "id"))) {
		memcpy(r.id, "null", sizeof("null"));
		answer_error(RPC_INVALID_REQUEST, "the id is to be a number or a short string");
		return;
	}
	if (params && params->type != JSON_OBJECT) {
		answer_error(RPC_INVALID_PARAMS, "params are to be an object");
		return;
	}
	if (json_is(&r.json, method, "subscribe")) {
		subscribe();
		return;
	}
	cmd = json_text(&r.json, method, name, sizeof(name)) ? command_find(name) : NULL;
	if (cmd)
		begin_call(cmd, params);
	else
		answer_error(RPC_METHOD_NOT_FOUND,
			"there is no such method: \"help\" lists them, and \"subscribe\" is one");
}

/* ---- lines ---- */

static bool is_blank(void)
{
	for (size_t i = 0; i < r.len; i++)
		if (r.line[i] != ' ' && r.line[i] != '\r' && r.line[i] != '\t')
			return false;
	return true;
}

static void line_complete(void)
{
	enum status s;

	memcpy(r.id, "null", sizeof("null"));
	if (r.too_long) {
		answer_error(RPC_INVALID_REQUEST, "a line has at most %u bytes", RPC_LINE_MAX);
	} else if (!is_blank()) {
		s = json_parse(&r.json, r.line, r.len);
		if (s == OK)
			request();
		else
			answer_error(s == ERR_RANGE ? RPC_INVALID_REQUEST : RPC_PARSE_ERROR,
				"%s, at byte %u", r.json.error, r.json.at);
	}
	r.len = 0;
	r.too_long = false;
}

static void take(char c)
{
	if (c == '\n')
		line_complete();
	else if (r.len < RPC_LINE_MAX)
		r.line[r.len++] = c;
	else
		r.too_long = true;
}

static bool more(void)
{
	if (r.chunk_at == r.chunk_len) {
		r.chunk_at = 0;
		r.chunk_len = r.port->read(r.port->ctx, r.chunk, sizeof(r.chunk));
	}
	return r.chunk_len != 0;
}

static void work(struct task *t)
{
	(void)t;
	r.posted = false;
	while (!r.under_way && more())
		take((char)r.chunk[r.chunk_at++]);
}

void rpc_input(void)
{
	post();
}

/* ---- events ---- */

static void event(const struct vm *vm)
{
	char why[LOADER_ERR_MAX * 2], line[EVENT_MAX];
	int n;

	if (!READ_ONCE(r.subscribed))
		return;
	log_json_string(why, sizeof(why), vm->end_why);
	if (vm->end == VM_END_NONE)
		n = snprintf(line, sizeof(line),
			"{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"event\":"
			"\"started\",\"vm\":\"%s\"}}\n",
			vm->cfg.name);
	else
		n = snprintf(line, sizeof(line),
			"{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"event\":"
			"\"%s\",\"vm\":\"%s\",\"end\":\"%s\",\"status\":%u,\"why\":%s}}\n",
			vm->end == VM_END_CRASH || vm->end == VM_END_TRIPLE ? "crashed" : "stopped",
			vm->cfg.name, vm_end_name(vm->end), vm->end_status, why);
	r.port->write(r.port->ctx, line, MIN((size_t)n, sizeof(line) - 1));
}

void rpc_start(const struct rpc_port *port)
{
	r.port = port;
	task_init(&r.task, work);
	vms_on_event(event);
}
