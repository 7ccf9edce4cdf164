/* SPDX-License-Identifier: BSD-2-Clause */
#include "hv/ctl/crash.h"
#include "hv/ctl/inspect.h"
#include "hv/ctl/log.h"
#include "hv/emul/insn.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"
#include "hv/vm/look.h"
#include "hv/vm/vm.h"

#define ORDER 2u
#define WORD  "@crash "
#define EXITS 16u

static void compose(struct out *o, struct vcpu *v, const char *why)
{
	gva_t rip = look_rip(v);

	out_text(o, "vm", "%s", v->vm->cfg.name);
	out_number(o, "vcpu", v->index);
	out_text(o, "why", "%s", why);
	out_hex(o, "rip", rip.v);
	out_number(o, "bits", look_code_bits(v));
	inspect_bytes(o, "bytes", v, rip, INSN_MAX);
	inspect_regs(o, v);
	inspect_walk(o, v, rip);
	inspect_end(o, v, EXITS);
	inspect_story(o, v);
}

void crash_report(struct vcpu *v, const char *why)
{
	size_t size = PAGE_SIZE << ORDER, word = strlen(WORD);
	char *line = page_alloc(ORDER, PAGE_HV);
	struct out o;

	if (!line) {
		log_warn("%s: no memory for a report", v->vm->cfg.name);
		return;
	}
	memcpy(line, WORD, word);
	out_init(&o, line + word, size - word - 1, true);
	compose(&o, v, why);
	if (out_finish(&o)) {
		line[word + o.len] = '\n';
		log_machine_line(line, word + o.len + 1);
	} else {
		log_warn("%s: a report of its crash would be too long", v->vm->cfg.name);
	}
	page_free(line, ORDER, PAGE_HV);
}
