/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The AHCI driver. A port does up to eight commands at a time, in slots, each with a buffer; what
 * else is submitted waits in its queue.
 *
 *   one page of a port     0     command list: 32 headers of 32 bytes
 *                       1024     what the disk sends: 256 bytes
 *                       2048     a command table of 256 bytes for each slot
 *
 *            an error: its command fails           disk busy
 *   RUN ------------------------------> STOPPING -----------> RESET_HOLD --1 ms--> RESET_WAIT
 *    ^      30 s without an end: all fail   | stopped                                 |    | 10 s
 *    |                                      v                                         |    v
 *    +--------- commands still under way are issued again <---------------------------+   DEAD
 */
#include "hv/drv/ahci.h"

#include "hv/cpu/tsc.h"
#include "hv/ctl/log.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"

/* Registers of the controller. */
#define REG_CAP	  0x00u
#define REG_GHC	  0x04u
#define REG_IS	  0x08u
#define REG_PI	  0x0cu
#define REG_CAP2  0x24u
#define REG_BOHC  0x28u
#define GHC_AE	  BIT(31)
#define GHC_IE	  BIT(1)
#define CAP2_BOH  BIT(0)
#define BOHC_BOS  BIT(0) /* firmware's */
#define BOHC_OOS  BIT(1) /* ours */
#define CAP_SLOTS 8	 /* bits 12:8, one less than there are */

/* Registers of a port. */
#define PORT_BASE   0x100u
#define PORT_SIZE   0x80u
#define PORT_CLB    0x00u
#define PORT_CLBU   0x04u
#define PORT_FB	    0x08u
#define PORT_FBU    0x0cu
#define PORT_IS	    0x10u
#define PORT_IE	    0x14u
#define PORT_CMD    0x18u
#define PORT_TFD    0x20u
#define PORT_SIG    0x24u
#define PORT_SSTS   0x28u
#define PORT_SCTL   0x2cu
#define PORT_SERR   0x30u
#define PORT_CI	    0x38u
#define IS_DONE	    (BIT(0) | BIT(1)) /* a register FIS, or one that sets up PIO */
#define IS_ERRORS   (BIT(30) | BIT(29) | BIT(28) | BIT(27) | BIT(26) | BIT(24))
#define CMD_ST	    BIT(0)
#define CMD_SUD	    BIT(1)
#define CMD_POD	    BIT(2)
#define CMD_FRE	    BIT(4)
#define CMD_FR	    BIT(14)
#define CMD_CR	    BIT(15)
#define CMD_CCS	    8 /* bits 12:8: the slot it is at */
#define TFD_BUSY    (BIT(7) | BIT(3))
#define SSTS_DET    0xfu
#define DET_PRESENT 3u
#define SCTL_DET    0xfu
#define DET_INIT    1u
#define SIG_DISK    0x101u

#define PORTS	     32u
#define SLOTS	     8u
#define BUFFER_ORDER 4u
#define FIS_AT	     1024u
#define TABLES_AT    2048u
#define TABLE_SIZE   256u
#define DMA_LIMIT    HPA(4 * GB)
#define FIS_H2D	     0x27u
#define FIS_COMMAND  0x80u
#define FIS_DWORDS   5u
#define DEVICE_LBA   0x40u
#define HEADER_WRITE BIT(6)
#define HEADER_PRDS  16
#define CMD_IDENTIFY 0xecu
#define LBA28_LIMIT  BIT(28)
#define US	     1000000u /* in a second */
#define HOLD_US	     1000u
#define LOOK_US	     1000u
#define STOP_US	     500000u
#define RESET_US     10000000u
#define COMMAND_US   30000000u
#define HANDOFF_US   2000000u
#define CONTROLLERS  4u

struct header {
	u32 flags, bytes, table, table_high, reserved[4];
};
static_assert(sizeof(struct header) == 32, "as the controller reads it");

struct table {
	u8 fis[64], packet[16], reserved[48];
	struct {
		u32 address, address_high, reserved, bytes; /* one less than there are */
	} prd;
};
static_assert(offsetof(struct table, prd) == 128 && sizeof(struct table) <= TABLE_SIZE,
	"as the controller reads it");
static_assert((PAGE_SIZE << BUFFER_ORDER) == DISK_BYTES_MAX, "a command's data fits the buffer");
static_assert(TABLES_AT + SLOTS * TABLE_SIZE == PAGE_SIZE, "one page a port");

enum port_state {
	RUN,
	STOPPING,
	RESET_HOLD,
	RESET_WAIT,
	DEAD
};

struct port {
	struct disk disk;
	struct controller *of;
	unsigned index;
	enum port_state state;
	bool starting; /* commands are being taken from the queue */
	unsigned slots;
	struct disk_identity id;
	struct list_node queue;
	struct disk_cmd *cmd[SLOTS]; /* under way */
	void *buffer[SLOTS];
	u8 *memory; /* the page */
	struct timer timer;
	u64 deadline; /* of a stop or a reset */
	struct ratelimit rl;
};

struct controller {
	struct ahci_regs regs;
	struct timerq *tq;
	struct port *port[PORTS]; /* NULL: no disk there */
};

static struct controller controllers[CONTROLLERS];
static unsigned used;

static u32 machine_read(void *base, u32 offset)
{
	return *(volatile u32 *)((u8 *)base + offset);
}

static void machine_write(void *base, u32 offset, u32 value)
{
	*(volatile u32 *)((u8 *)base + offset) = value;
}

const struct ahci_regs ahci_machine_regs = { .read = machine_read, .write = machine_write };

static u32 get(const struct controller *c, u32 offset)
{
	return c->regs.read(c->regs.base, offset);
}

static void set(const struct controller *c, u32 offset, u64 value)
{
	c->regs.write(c->regs.base, offset, (u32)value);
}

static u32 port_get(const struct port *p, u32 reg)
{
	return get(p->of, PORT_BASE + p->index * PORT_SIZE + reg);
}

static void port_set(const struct port *p, u32 reg, u64 value)
{
	set(p->of, PORT_BASE + p->index * PORT_SIZE + reg, value);
}

static u64 ticks(const struct port *p, u64 us)
{
	return timerq_now(p->of->tq) + muldiv64(us, p->of->tq->hz, US);
}

static void arm(struct port *p, u64 us)
{
	timer_arm(p->of->tq, &p->timer, ticks(p, us));
}

/* ---- a command ---- */

/* By operation; without and with 48-bit addresses. */
static const u8 opcodes[DISK_OPS][2] = {
	[DISK_READ] = { 0xc8, 0x25 }, /* READ DMA, READ DMA EXT */
	[DISK_WRITE] = { 0xca, 0x35 },
	[DISK_FLUSH] = { 0xe7, 0xea }, /* FLUSH CACHE, FLUSH CACHE EXT */
};

static struct header *header_of(const struct port *p, unsigned slot)
{
	return (struct header *)(void *)p->memory + slot;
}

static void set_address(u8 *fis, u64 lba, u32 sectors, bool ext)
{
	fis[4] = (u8)lba;
	fis[5] = (u8)(lba >> 8);
	fis[6] = (u8)(lba >> 16);
	fis[7] = (u8)(DEVICE_LBA | (ext ? 0 : lba >> 24 & 0xf));
	fis[8] = (u8)(ext ? lba >> 24 : 0);
	fis[9] = (u8)(ext ? lba >> 32 : 0);
	fis[10] = (u8)(ext ? lba >> 40 : 0);
	fis[12] = (u8)sectors;
	fis[13] = (u8)(ext ? sectors >> 8 : 0);
}

/* Header and table of a slot; bytes: of data, 0 for none. */
static u8 *prepare(struct port *p, unsigned slot, u8 opcode, u32 bytes, bool write)
{
	u8 *at = p->memory + TABLES_AT + slot * TABLE_SIZE;
	struct table *t = (struct table *)(void *)at;

	memset(t, 0, sizeof(*t));
	t->fis[0] = FIS_H2D;
	t->fis[1] = FIS_COMMAND;
	t->fis[2] = opcode;
	if (bytes) {
		t->prd.address = (u32)hva_to_hpa(p->buffer[slot]).v;
		t->prd.bytes = bytes - 1;
	}
	*header_of(p, slot) = (struct header){
		.flags = (u32)(FIS_DWORDS | (write ? HEADER_WRITE : 0) |
			       (bytes ? 1u << HEADER_PRDS : 0)),
		.table = (u32)hva_to_hpa(t).v,
	};
	return t->fis;
}

static bool needs_ext(const struct port *p, const struct disk_cmd *c)
{
	if (c->op == DISK_FLUSH)
		return p->id.flush_ext;
	return c->sector + c->sectors > LBA28_LIMIT;
}

static void issue(struct port *p, unsigned slot)
{
	const struct disk_cmd *c = p->cmd[slot];
	bool ext = needs_ext(p, c);
	u8 *fis = prepare(
		p, slot, opcodes[c->op][ext], c->sectors * DISK_SECTOR, c->op == DISK_WRITE);

	if (c->op != DISK_FLUSH)
		set_address(fis, c->sector, c->sectors, ext);
	barrier();
	port_set(p, PORT_CI, BIT(slot));
}

static void start_next(struct port *p);

static bool any_under_way(const struct port *p)
{
	for (unsigned i = 0; i < p->slots; i++)
		if (p->cmd[i])
			return true;
	return false;
}

static void finish(struct port *p, unsigned slot, bool ok)
{
	struct disk_cmd *c = p->cmd[slot];

	p->cmd[slot] = NULL;
	if (ok && c->op != DISK_FLUSH && header_of(p, slot)->bytes != c->sectors * DISK_SECTOR)
		ok = false;
	if (ok && c->op == DISK_READ)
		ok = c->data(c, p->buffer[slot]);
	c->done(c, ok);
}

static void fail_all(struct port *p)
{
	for (unsigned i = 0; i < p->slots; i++)
		if (p->cmd[i])
			finish(p, i, false);
}

/* ---- errors ---- */

static void stop(struct port *p)
{
	port_set(p, PORT_CMD, port_get(p, PORT_CMD) & ~CMD_ST);
	p->state = STOPPING;
	p->deadline = ticks(p, STOP_US);
	arm(p, LOOK_US);
}

/* Stopped and ready: what was under way is issued again, and what waits follows. */
static void go_on(struct port *p)
{
	port_set(p, PORT_SERR, ~0u);
	port_set(p, PORT_IS, ~0u);
	port_set(p, PORT_CMD, port_get(p, PORT_CMD) | CMD_ST);
	p->state = RUN;
	timer_cancel(p->of->tq, &p->timer);
	for (unsigned i = 0; i < p->slots; i++)
		if (p->cmd[i])
			issue(p, i);
	if (any_under_way(p))
		arm(p, COMMAND_US);
	start_next(p);
}

static void reset(struct port *p)
{
	log_guest(&p->rl, LOG_WARN, "ahci: port %u: reset", p->index);
	port_set(p, PORT_SCTL, (port_get(p, PORT_SCTL) & ~SCTL_DET) | DET_INIT);
	p->state = RESET_HOLD;
	arm(p, HOLD_US);
}

static void die(struct port *p)
{
	log_err("ahci: port %u: no answer to a reset: its disk is given up", p->index);
	p->state = DEAD;
	fail_all(p);
	start_next(p);
}

static bool ready(const struct port *p)
{
	return (port_get(p, PORT_SSTS) & SSTS_DET) == DET_PRESENT &&
	       !(port_get(p, PORT_TFD) & TFD_BUSY);
}

static bool stopped(const struct port *p)
{
	return !(port_get(p, PORT_CMD) & CMD_CR);
}

static void look_whether_stopped(struct port *p)
{
	if (stopped(p) && ready(p))
		go_on(p);
	else if (stopped(p) || timerq_now(p->of->tq) >= p->deadline)
		reset(p);
	else
		arm(p, LOOK_US);
}

static void look_after_reset(struct port *p)
{
	if (stopped(p) && ready(p))
		go_on(p);
	else if (timerq_now(p->of->tq) >= p->deadline)
		die(p);
	else
		arm(p, LOOK_US);
}

static void time_is_up(struct port *p)
{
	switch (p->state) {
	case RUN:
		log_guest(&p->rl, LOG_WARN, "ahci: port %u: no answer", p->index);
		stop(p);
		fail_all(p);
		break;
	case STOPPING: look_whether_stopped(p); break;
	case RESET_HOLD:
		port_set(p, PORT_SCTL, port_get(p, PORT_SCTL) & ~SCTL_DET);
		p->state = RESET_WAIT;
		p->deadline = ticks(p, RESET_US);
		arm(p, LOOK_US);
		break;
	case RESET_WAIT: look_after_reset(p); break;
	case DEAD: break;
	}
}

static void expire(struct timer *t)
{
	time_is_up(container_of(t, struct port, timer));
}

/* The command that the port has stopped at fails; the others are tried again. */
static void on_error(struct port *p, u32 is)
{
	unsigned slot = port_get(p, PORT_CMD) >> CMD_CCS & (PORTS - 1);

	log_guest(&p->rl, LOG_WARN, "ahci: port %u: error: interrupts 0x%x, task file 0x%x",
		p->index, is, port_get(p, PORT_TFD));
	stop(p);
	if (slot < p->slots && p->cmd[slot])
		finish(p, slot, false);
	else
		fail_all(p);
	if (p->state == STOPPING)
		look_whether_stopped(p);
}

/* ---- the queue ---- */

static void start(struct port *p, unsigned slot)
{
	struct disk_cmd *c = p->cmd[slot];

	if (p->state == DEAD) {
		finish(p, slot, false);
	} else if (c->op == DISK_FLUSH && !p->id.flush) {
		finish(p, slot, !p->id.write_cache);
	} else if (c->op == DISK_WRITE && !c->data(c, p->buffer[slot])) {
		finish(p, slot, false);
	} else {
		if (!timer_armed(&p->timer))
			arm(p, COMMAND_US);
		issue(p, slot);
	}
}

/* A free slot, or SLOTS. */
static unsigned free_slot(const struct port *p)
{
	for (unsigned i = 0; i < p->slots; i++)
		if (!p->cmd[i])
			return i;
	return SLOTS;
}

static void start_next(struct port *p)
{
	unsigned slot;

	if (p->starting)
		return;
	p->starting = true;
	while ((p->state == RUN || p->state == DEAD) && !list_empty(&p->queue) &&
		(slot = free_slot(p)) < SLOTS) {
		p->cmd[slot] = list_entry(p->queue.next, struct disk_cmd, node);
		list_del(&p->cmd[slot]->node);
		start(p, slot);
	}
	p->starting = false;
}

static void port_interrupt(struct port *p)
{
	u32 is = port_get(p, PORT_IS), under_way;

	if (p->state != RUN)
		return;
	port_set(p, PORT_IS, is);
	under_way = port_get(p, PORT_CI);
	p->starting = true; /* until all that have ended are */
	for (unsigned i = 0; i < p->slots; i++)
		if (p->cmd[i] && !(under_way & BIT(i))) {
			timer_cancel(p->of->tq, &p->timer);
			finish(p, i, true);
		}
	p->starting = false;
	if (is & IS_ERRORS) {
		on_error(p, is);
		return;
	}
	if (any_under_way(p) && !timer_armed(&p->timer))
		arm(p, COMMAND_US);
	start_next(p);
}

void ahci_interrupt(void *ctx)
{
	struct controller *c = ctx;
	u32 is = get(c, REG_IS);

	for (unsigned i = 0; i < PORTS; i++)
		if ((is & BIT(i)) && c->port[i])
			port_interrupt(c->port[i]);
	set(c, REG_IS, is);
}

static void ahci_submit(struct disk *d, struct disk_cmd *c)
{
	struct port *p = container_of(d, struct port, disk);

	list_add_tail(&p->queue, &c->node);
	start_next(p);
}

static bool ahci_cancel(struct disk *d, struct disk_cmd *c)
{
	return disk_take_back(&container_of(d, struct port, disk)->queue, c);
}

static void ahci_poll(struct disk *d)
{
	struct port *p = container_of(d, struct port, disk);

	port_interrupt(p);
	if (timer_armed(&p->timer) && timerq_now(p->of->tq) >= p->timer.deadline) {
		timer_cancel(p->of->tq, &p->timer);
		time_is_up(p);
	}
}

static const struct disk_ops ahci_ops = {
	.name = "ahci",
	.submit = ahci_submit,
	.cancel = ahci_cancel,
	.poll = ahci_poll,
};

/* ---- finding disks ---- */

static bool wait_port(const struct port *p, u32 reg, u64 mask, u64 want, u64 us)
{
	u64 end = ticks(p, us);

	while ((port_get(p, reg) & mask) != want)
		if (timerq_now(p->of->tq) >= end)
			return false;
	return true;
}

/* Firmware may have left the port running, with tables of its own. */
static bool halt(const struct port *p)
{
	port_set(p, PORT_IE, 0);
	port_set(p, PORT_CMD, port_get(p, PORT_CMD) & ~CMD_ST);
	if (!wait_port(p, PORT_CMD, CMD_CR, 0, STOP_US))
		return false;
	port_set(p, PORT_CMD, port_get(p, PORT_CMD) & ~CMD_FRE);
	return wait_port(p, PORT_CMD, CMD_FR, 0, STOP_US);
}

static bool get_memory(struct port *p)
{
	p->memory = page_alloc_below(PAGE_ORDER_4K, DMA_LIMIT, PAGE_HV);
	for (unsigned i = 0; i < p->slots; i++) {
		p->buffer[i] = page_alloc_below(BUFFER_ORDER, DMA_LIMIT, PAGE_HV);
		if (!p->buffer[i])
			return false;
	}
	return p->memory != NULL;
}

static bool run_port(struct port *p)
{
	u64 list = hva_to_hpa(p->memory).v;

	port_set(p, PORT_CLB, list);
	port_set(p, PORT_CLBU, 0);
	port_set(p, PORT_FB, list + FIS_AT);
	port_set(p, PORT_FBU, 0);
	port_set(p, PORT_CMD, port_get(p, PORT_CMD) | CMD_FRE | CMD_SUD | CMD_POD);
	port_set(p, PORT_SERR, ~0u);
	port_set(p, PORT_IS, ~0u);
	if (!wait_port(p, PORT_TFD, TFD_BUSY, 0, STOP_US))
		return false;
	port_set(p, PORT_CMD, port_get(p, PORT_CMD) | CMD_ST);
	return true;
}

static bool identify(struct port *p)
{
	prepare(p, 0, CMD_IDENTIFY, DISK_SECTOR, false);
	barrier();
	port_set(p, PORT_CI, BIT(0));
	if (!wait_port(p, PORT_CI, BIT(0), 0, STOP_US))
		return false;
	port_set(p, PORT_IS, ~0u);
	return disk_identify(p->buffer[0], &p->id);
}

/* NULL: there is no disk that can be used. */
static struct port *open_port(struct controller *c, unsigned index, unsigned slots)
{
	unsigned order = page_order(sizeof(struct port));
	struct port probe = { .of = c, .index = index };
	struct port *p;

	if ((port_get(&probe, PORT_SSTS) & SSTS_DET) != DET_PRESENT ||
		port_get(&probe, PORT_SIG) != SIG_DISK)
		return NULL;
	p = page_alloc(order, PAGE_HV);
	if (!p)
		return NULL;
	*p = probe;
	p->slots = MIN(slots, SLOTS);
	p->rl = (struct ratelimit)RATELIMIT(5);
	list_init(&p->queue);
	timer_init(&p->timer, expire);
	/* After this its memory is the controller's for good. */
	if (!halt(p) || !get_memory(p) || !run_port(p) || !identify(p)) {
		log_warn("ahci: the disk at port %u cannot be used", index);
		return NULL;
	}
	return p;
}

static void add_disk(struct port *p)
{
	p->disk = (struct disk){
		.ops = &ahci_ops, .sectors = p->id.sectors, .physical_exp = p->id.physical_exp
	};
	if (!p->id.lba48)
		p->disk.sectors = MIN(p->disk.sectors, LBA28_LIMIT);
	memcpy(p->disk.model, p->id.model, sizeof(p->disk.model));
	memcpy(p->disk.serial, p->id.serial, sizeof(p->disk.serial));
	if (!disk_add(&p->disk)) {
		log_warn("ahci: more disks than are expected: that at port %u is left out",
			p->index);
		return;
	}
	p->of->port[p->index] = p;
	port_set(p, PORT_IE, IS_DONE | IS_ERRORS);
}

static bool take_from_firmware(const struct controller *c)
{
	u64 end = timerq_now(c->tq) + muldiv64(HANDOFF_US, c->tq->hz, US);

	if (!(get(c, REG_CAP2) & CAP2_BOH))
		return true;
	set(c, REG_BOHC, get(c, REG_BOHC) | BOHC_OOS);
	while (get(c, REG_BOHC) & BOHC_BOS)
		if (timerq_now(c->tq) >= end)
			return false;
	return true;
}

enum status ahci_attach(const struct ahci_regs *regs, struct timerq *tq, void **ctx)
{
	struct controller *c = &controllers[used];
	unsigned slots;
	u32 ports;

	if (used == CONTROLLERS)
		return ERR_NOMEM;
	*c = (struct controller){ .regs = *regs, .tq = tq };
	set(c, REG_GHC, get(c, REG_GHC) | GHC_AE);
	if (!take_from_firmware(c))
		return ERR_TIMEOUT;
	used++;
	ports = get(c, REG_PI);
	slots = (get(c, REG_CAP) >> CAP_SLOTS & (PORTS - 1)) + 1;
	for (unsigned i = 0; i < PORTS; i++) {
		struct port *p = ports & BIT(i) ? open_port(c, i, slots) : NULL;

		if (p)
			add_disk(p);
	}
	set(c, REG_IS, ~0u);
	set(c, REG_GHC, get(c, REG_GHC) | GHC_IE);
	*ctx = c;
	return OK;
}
