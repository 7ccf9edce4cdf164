/* SPDX-License-Identifier: BSD-2-Clause */
/* io=emulated: the VM's disks on an IDE controller and its network card as an NE2000, for kernels
 * without virtio and for comparison. */
#include "hv/vm/emulated_io.h"

#include "hv/ctl/log.h"
#include "hv/dev/ide.h"
#include "hv/dev/ne2000.h"
#include "hv/lib/printf.h"
#include "hv/mem/page.h"
#include "hv/vm/disks.h"
#include "hv/vm/nets.h"

#define IDE_SLOT  1u
#define NET_SLOT  2u
#define IRQ_FIRST 14u /* of the first channel */
#define ORDER	  page_order(sizeof(struct emulated_io))

struct emulated_io {
	struct ide ide;
	struct ne2000 net; /* with net= */
	const struct vm *vm;
};

static void set_irq(void *ctx, unsigned channel, bool level)
{
	platform_set_gsi(ctx, IRQ_FIRST + channel, level);
}

static enum status add_disk(struct vm *vm, struct ide *ide, unsigned index, char *err)
{
	struct blk_backend *b;
	enum status s = vm_open_disk(vm, index, &b, err);

	if (s != OK || ide_add(ide, b))
		return s;
	b->ops->destroy(b);
	snprintf(err, LOADER_ERR_MAX, "disk %u: with io=emulated there are at most %u", index,
		IDE_DISKS);
	return ERR_NOTSUP;
}

/* What only virtio has is refused, not left out. */
static enum status check(const struct vm *vm, char *err)
{
	if (!vm->cfg.rng && !vm->cfg.virtio_console && !vm->cfg.balloon.steps)
		return OK;
	snprintf(err, LOADER_ERR_MAX,
		"io=emulated: disks and a network card are all that it has; rng, balloon and "
		"console=virtio want io=virtio");
	return ERR_NOTSUP;
}

static enum status add_net(struct vm *vm, struct ne2000 *n, char *err)
{
	struct vm_port net;
	enum status s = vm_open_net(vm, &net, err);

	if (s != OK)
		return s;
	ne2000_init(n, net.sw, net.mac);
	s = ne2000_attach(n, platform_pci(vm->platform), NET_SLOT);
	if (s != OK)
		snprintf(err, LOADER_ERR_MAX, "no place for its network card");
	return s;
}

static void destroy(void *ctx)
{
	struct emulated_io *io = ctx;

	ne2000_destroy(&io->net);
	ide_destroy(&io->ide);
	page_free(io, ORDER, PAGE_HV);
}

static enum status create(struct vm *vm, void **out, char *err)
{
	enum status s = check(vm, err);
	struct emulated_io *io;

	if (s != OK)
		return s;
	io = page_alloc(ORDER, PAGE_HV);
	if (!io) {
		snprintf(err, LOADER_ERR_MAX, "no memory for its IDE controller");
		return ERR_NOMEM;
	}
	io->vm = vm;
	ide_init(&io->ide, &vm->mem, set_irq, vm->platform);
	for (unsigned i = 0; s == OK && i < vm->cfg.disks; i++)
		s = add_disk(vm, &io->ide, i, err);
	if (s == OK) {
		s = ide_attach(
			&io->ide, platform_pci(vm->platform), platform_pio(vm->platform), IDE_SLOT);
		if (s != OK)
			snprintf(err, LOADER_ERR_MAX, "no place for its IDE controller");
	}
	if (s == OK && vm->cfg.net)
		s = add_net(vm, &io->net, err);
	if (s != OK) {
		destroy(io);
		return s;
	}
	*out = io;
	return OK;
}

static bool console_in(void *io, const u8 *buf, size_t len, size_t *took)
{
	(void)io;
	(void)buf;
	(void)len;
	(void)took;
	return false;
}

static void reset(void *io)
{
	struct emulated_io *e = io;

	ide_reset(&e->ide);
	if (e->vm->cfg.net)
		ne2000_reset(&e->net);
}

static void report_net(const struct vm *vm, const struct ne2000_counters *c)
{
	log_machine("@net {\"vm\":\"%s\",\"sent\":%lu,\"received\":%lu,\"refused\":%lu,"
		    "\"dropped\":%lu,\"interrupts\":%lu}",
		vm->cfg.name, c->sent, c->received, c->refused, c->missed, c->interrupts);
}

static void report(const void *ctx)
{
	const struct emulated_io *io = ctx;

	for (unsigned i = 0; i < IDE_CHANNELS; i++)
		if (io->ide.channel[i].drive[0].backend)
			log_machine("@stats {\"vm\":\"%s\",\"device\":\"ide %u\",\"commands\":%lu,"
				    "\"interrupts\":%lu}",
				io->vm->cfg.name, i, io->ide.channel[i].commands,
				io->ide.channel[i].interrupts);
	if (io->vm->cfg.net)
		report_net(io->vm, &io->net.count);
}

const struct vm_io_ops emulated_io_ops = {
	.create = create,
	.console_in = console_in,
	.reset = reset,
	.report = report,
	.destroy = destroy,
};
