/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio devices of a VM, made from its description: disks in slots 1, 2, ... of the PCI bus,
 * the entropy device, the console, the network card and the balloon behind them.
 */
#include "virtio/vm_io.h"

#include "hv/cpu/entropy.h"
#include "hv/ctl/log.h"
#include "hv/lib/printf.h"
#include "hv/mem/page.h"
#include "hv/vm/disks.h"
#include "hv/vm/nets.h"
#include "virtio/balloon.h"
#include "virtio/blk.h"
#include "virtio/console.h"
#include "virtio/mmio.h"
#include "virtio/net.h"
#include "virtio/pci.h"
#include "virtio/rng.h"

#define DEVICES_MAX (MANIFEST_DISKS_MAX + 4)

#define ORDER page_order(sizeof(struct virtio_io))

struct virtio_io {
	union {
		struct virtio_pci pci[DEVICES_MAX];
		struct virtio_mmio mmio[DEVICES_MAX];
	};
	struct virtio_mmio_bus bus; /* of the latter */
	bool on_pci;
	struct virtio_dev *dev[DEVICES_MAX];
	unsigned attached;
	struct virtio_blk *blk[MANIFEST_DISKS_MAX];
	unsigned disks;
	struct virtio_rng *rng;
	struct virtio_console *console;
	struct virtio_net *net;
	struct virtio_balloon *balloon;
};

static_assert(DEVICES_MAX <= LAYOUT_VIRTIO_MAX, "a place for each");

/* The next slot behind the host bridge; or the next place in memory. */
static enum status attach(struct vm *vm, struct virtio_io *io, struct virtio_dev *d, char *err)
{
	unsigned i = io->attached;
	enum status s;

	if (io->on_pci)
		s = virtio_pci_attach(&io->pci[i], d, platform_pci(vm->platform), i + 1);
	else
		s = virtio_mmio_attach(&io->mmio[i], d, &io->bus, i);
	if (s == OK)
		io->dev[io->attached++] = d;
	else
		snprintf(err, LOADER_ERR_MAX, "%s %u: no place on the %s", d->ops->name, d->index,
			io->on_pci ? "PCI bus" : "machine's memory bus");
	return s;
}

static void set_gsi(void *ctx, unsigned gsi, bool level)
{
	platform_set_gsi(ctx, gsi, level);
}

static enum status add_disk(struct vm *vm, struct virtio_io *io, char *err)
{
	struct blk_backend *b;
	enum status s = vm_open_disk(vm, io->disks, &b, err);

	if (s != OK)
		return s;
	s = virtio_blk_create(&io->blk[io->disks], vm->cfg.name, io->disks, vm->cfg.packed_rings,
		&vm->mem, vm->timers, b);
	if (s != OK) {
		b->ops->destroy(b);
		snprintf(err, LOADER_ERR_MAX, "no memory for disk %u", io->disks);
		return s;
	}
	io->disks++;
	return attach(vm, io, virtio_blk_dev(io->blk[io->disks - 1]), err);
}

/* Numbers that only look random would be worse than none. */
static enum status add_rng(struct vm *vm, struct virtio_io *io, char *err)
{
	enum status s = virtio_rng_create(
		&io->rng, vm->cfg.name, vm->cfg.packed_rings, &vm->mem, vm->timers, entropy_word);

	if (s == ERR_NOTSUP) {
		log_warn("%s: no virtio-rng: this processor has no random bits to give",
			vm->cfg.name);
		return OK;
	}
	if (s != OK) {
		snprintf(err, LOADER_ERR_MAX, "no memory for its entropy device");
		return s;
	}
	return attach(vm, io, virtio_rng_dev(io->rng), err);
}

static void print(void *ctx, const u8 *buf, size_t len)
{
	struct vm *vm = ctx;

	vmconsole_write(&vm->console, buf, len);
}

static enum status add_console(struct vm *vm, struct virtio_io *io, char *err)
{
	struct console_size size = { vm->cfg.columns, vm->cfg.rows };
	enum status s = virtio_console_create(&io->console, vm->cfg.name, vm->cfg.packed_rings,
		&vm->mem, vm->timers, size, print, vm);

	if (s != OK) {
		snprintf(err, LOADER_ERR_MAX, "no memory for its console");
		return s;
	}
	return attach(vm, io, virtio_console_dev(io->console), err);
}

static bool console_in(void *ctx, const u8 *buf, size_t len, size_t *took)
{
	struct virtio_io *io = ctx;

	if (!io->console || !virtio_console_ready(io->console))
		return false;
	*took = virtio_console_in(io->console, buf, len);
	return true;
}

static enum status add_net(struct vm *vm, struct virtio_io *io, char *err)
{
	struct vm_port net;
	enum status s = vm_open_net(vm, &net, err);

	if (s != OK)
		return s;
	s = virtio_net_create(&io->net, vm->cfg.name, 0, vm->cfg.packed_rings, &vm->mem, vm->timers,
		net.sw, net.mac);
	if (s != OK) {
		snprintf(err, LOADER_ERR_MAX, "no memory for its network card");
		return s;
	}
	virtio_net_link(io->net, net.up);
	return attach(vm, io, virtio_net_dev(io->net), err);
}

static enum status add_balloon(struct vm *vm, struct virtio_io *io, char *err)
{
	enum status s = virtio_balloon_create(&io->balloon, vm->cfg.name, vm->cfg.packed_rings,
		&vm->mem, vm->mmu, vm->timers, &vm->cfg.balloon);

	if (s != OK) {
		snprintf(err, LOADER_ERR_MAX, "no memory for its balloon");
		return s;
	}
	return attach(vm, io, virtio_balloon_dev(io->balloon), err);
}

static void destroy(void *ctx)
{
	struct virtio_io *io = ctx;

	for (unsigned i = 0; i < io->disks; i++)
		virtio_blk_destroy(io->blk[i]);
	if (io->rng)
		virtio_rng_destroy(io->rng);
	if (io->console)
		virtio_console_destroy(io->console);
	if (io->net)
		virtio_net_destroy(io->net);
	if (io->balloon)
		virtio_balloon_destroy(io->balloon);
	page_free(io, ORDER, PAGE_HV);
}

static enum status create(struct vm *vm, void **out, char *err)
{
	struct virtio_io *io = page_alloc(ORDER, PAGE_HV);
	enum status s = OK;

	if (!io) {
		snprintf(err, LOADER_ERR_MAX, "no memory for its virtio devices");
		return ERR_NOMEM;
	}
	io->on_pci = !vm->cfg.virtio_mmio;
	io->bus = (struct virtio_mmio_bus){
		.mmio = platform_mmio(vm->platform), .set_gsi = set_gsi, .ctx = vm->platform
	};
	while (s == OK && io->disks < vm->cfg.disks)
		s = add_disk(vm, io, err);
	if (s == OK && vm->cfg.rng)
		s = add_rng(vm, io, err);
	if (s == OK && vm->cfg.virtio_console)
		s = add_console(vm, io, err);
	if (s == OK && vm->cfg.net)
		s = add_net(vm, io, err);
	if (s == OK && vm->cfg.balloon.steps)
		s = add_balloon(vm, io, err);
	if (s != OK) {
		destroy(io);
		return s;
	}
	*out = io;
	return OK;
}

static void reset(void *ctx)
{
	struct virtio_io *io = ctx;

	for (unsigned i = 0; i < io->attached; i++)
		if (io->on_pci)
			virtio_pci_reset(&io->pci[i]);
		else
			virtio_mmio_reset(&io->mmio[i]);
}

static void idle(void *ctx)
{
	struct virtio_io *io = ctx;

	if (io->net)
		virtio_net_idle(io->net);
}

static bool set_balloon(void *ctx, u64 bytes)
{
	struct virtio_io *io = ctx;

	if (io->balloon)
		virtio_balloon_target(io->balloon, bytes);
	return io->balloon;
}

static bool resize(void *ctx, u16 columns, u16 rows)
{
	struct virtio_io *io = ctx;

	if (io->console)
		virtio_console_resize(io->console, (struct console_size){ columns, rows });
	return io->console;
}

static void report(const void *ctx)
{
	const struct virtio_io *io = ctx;

	for (unsigned i = 0; i < io->attached; i++)
		virtio_report(io->dev[i]);
	if (io->net)
		virtio_net_report(io->net);
	if (io->balloon)
		virtio_balloon_report(io->balloon);
}

const struct vm_io_ops virtio_io_ops = {
	.create = create,
	.console_in = console_in,
	.reset = reset,
	.idle = idle,
	.balloon = set_balloon,
	.resize = resize,
	.report = report,
	.destroy = destroy,
};
