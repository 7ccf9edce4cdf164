/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A message goes round in a ring of VMs, from network card to network card. (net: switch) Each VM
 * checks that the message has been with all those before it, in their order, puts its own number
 * to it and sends it on to the next; the first one checks that it comes back with all of them.
 *
 *   of=N     VMs in the ring, all on one switch; the number of each is at the end of its card's
 *            address, from 1 on. Without it the VM is alone, and the switch gives it nothing back.
 *   laps=N   how many times the message goes round (3 if it is not given)
 *
 * A VM that has not started yet loses what is sent to it: the first one sends again until the first
 * lap is done. When all laps are, it sends a farewell, on which each VM ends.
 */
#include "tests/guest/lib/virtio.h"

#define SLOT	   1
#define MAC_BIT	   BIT(5) /* VIRTIO_NET_F_MAC */
#define RECEIVE	   0
#define TRANSMIT   1
#define NIC_VECTOR 0x50
#define CLOCK	   0x51
#define LEVEL	   0xa000u /* an IOAPIC pin: level, active low */

#define ETHERTYPE    0xb588 /* 0x88b5, IEEE 802 "Local Experimental Ethertype 1", as it is sent */
#define VMS_MAX	     64u
#define LAP_FAREWELL 0xffffu
#define SEED	     0x9e3779b97f4a7c15ul
#define AGAIN_MS     100
#define ALONE_MS     5

/* With the header of virtio 1.2, 5.1.6, which says nothing. */
struct __packed message {
	u8 header[12];
	u8 to[6], from[6];
	u16 type;
	u16 lap;
	u16 count; /* of marks */
	u64 sum;   /* of the marks and their order */
	u16 mark[VMS_MAX];
};

static u64 bar;
static struct vring in, out;
static struct message inbox[VRING_SIZE], outbox;
static u16 taken; /* of what has come */
static u8 mac[6];
static unsigned self, of;

/* ---- the card ---- */

static void on_card(struct frame *f)
{
	(void)f;
	(void)*(volatile u8 *)(bar + VIRTIO_ISR);
	apic_eoi();
}

static void on_clock(struct frame *f)
{
	(void)f;
	apic_eoi();
}

static void start_interrupts(void)
{
	unsigned pin = 0x10 + 2 * virtio_gsi(SLOT);

	apic_enable();
	on_vector(NIC_VECTOR, on_card);
	on_vector(CLOCK, on_clock);
	ioapic_write(pin + 1, apic_read(APIC_ID));
	ioapic_write(pin, LEVEL | NIC_VECTOR);
	apic_write(APIC_LVT_TIMER, CLOCK | APIC_LVT_DEADLINE);
}

static void start_card(void)
{
	bar = virtio_find(SLOT, VIRTIO_NET_ID);
	check(bar, "slot %u has no network card", SLOT);
	for (unsigned i = 0; i < sizeof(mac); i++)
		mac[i] = *(volatile u8 *)(bar + VIRTIO_DEVICE + i);
	self = (unsigned)mac[4] << 8 | mac[5];
	virtio_negotiate(bar, MAC_BIT);
	virtio_queue(bar, RECEIVE, &in, VRING_SIZE, (u64)&in.used);
	virtio_queue(bar, TRANSMIT, &out, VRING_SIZE, (u64)&out.used);
	for (u16 i = 0; i < VRING_SIZE; i++) {
		vring_desc(&in.desc[i], (u64)&inbox[i], sizeof(inbox[i]), VRING_WRITE, 0);
		vring_offer(&in, i);
	}
	virtio_go(bar);
}

/* The VM of that number is to have it. */
static void address_to(unsigned number)
{
	memcpy(outbox.to, mac, sizeof(mac));
	outbox.to[4] = (u8)(number >> 8);
	outbox.to[5] = (u8)number;
}

/* It has left when the notification is done. */
static void send(void)
{
	memcpy(outbox.from, mac, sizeof(mac));
	outbox.type = ETHERTYPE;
	vring_desc(&out.desc[0], (u64)&outbox, sizeof(outbox), 0, 0);
	vring_offer(&out, 0);
	virtio_kick(bar, TRANSMIT);
	check_eq(vring_used(&out), out.avail.idx, "the message was not sent");
}

/* Sleeps until a message is there, and copies it to the one that is sent next. False: none came
 * before that time (0: there is all the time). */
static bool take(u64 until)
{
	const volatile struct vring *r = &in;
	u32 at;

	wrmsr(MSR_TSC_DEADLINE, until);
	while (vring_used(&in) == taken) {
		if (until && rdtsc() >= until)
			return false;
		sti_hlt_cli();
	}
	at = r->used.ring[taken % VRING_SIZE].id;
	check_eq(r->used.ring[taken % VRING_SIZE].len, sizeof(outbox), "a frame");
	memcpy(&outbox, &inbox[at], sizeof(outbox));
	taken++;
	vring_offer(&in, (u16)at);
	return true;
}

/* ---- the message ---- */

static u64 sum_of(const struct message *m)
{
	u64 sum = SEED;

	for (unsigned i = 0; i < m->count; i++)
		sum = (sum ^ m->mark[i]) * SEED + m->lap;
	return sum;
}

/* It has been with the first `marks` VMs, and is addressed to this one. */
static void check_message(unsigned marks)
{
	check(!memcmp(outbox.to, mac, sizeof(mac)), "a message for another VM");
	check_eq(outbox.type, ETHERTYPE, "the kind of the frame");
	check_eq(outbox.count, marks, "the marks on the message");
	for (unsigned i = 0; i < marks; i++)
		check_eq(outbox.mark[i], i + 1, "mark %u", i);
	check_eq(outbox.sum, sum_of(&outbox), "the sum of the marks");
}

static void pass_on(void)
{
	outbox.mark[outbox.count++] = (u16)self;
	outbox.sum = sum_of(&outbox);
	address_to(self % of + 1);
	send();
}

static void begin(unsigned lap)
{
	memset(&outbox, 0, sizeof(outbox));
	outbox.lap = (u16)lap;
	pass_on();
}

/* Sends it round; again, if nothing has come after so many ticks (0: once only). A message of an
 * earlier lap is one that was sent once too often. */
static void send_round(unsigned lap, u64 again)
{
	for (;;) {
		begin(lap);
		while (take(again ? rdtsc() + again : 0)) {
			check_message(of);
			if (outbox.lap == lap)
				return;
		}
	}
}

static void first(unsigned laps)
{
	u64 again = AGAIN_MS * (tsc_per_second() / 1000);

	for (unsigned lap = 1; lap <= laps; lap++) {
		send_round(lap, lap == 1 ? again : 0);
		say("lap %u: %u marks, sum 0x%lx", lap, outbox.count, outbox.sum);
	}
	send_round(LAP_FAREWELL, 0);
}

static void relay(void)
{
	unsigned laps = 0, last = 0;

	do {
		take(0);
		check_message(self - 1);
		laps += outbox.lap != last;
		last = outbox.lap;
		pass_on();
	} while (last != LAP_FAREWELL);
	say("VM %u of %u: %u laps", self, of, laps - 1);
}

/* The switch gives nothing back to who sent it: neither what is for all nor what is for itself. */
static void alone(void)
{
	u64 end = rdtsc() + ALONE_MS * (tsc_per_second() / 1000);

	address_to(self);
	send();
	memset(outbox.to, 0xff, sizeof(outbox.to));
	send();
	check(!take(end), "the card has received what it sent");
}

void test_main(void)
{
	of = (unsigned)cmdline_number("of", 0);
	check(of <= VMS_MAX, "of=%u: more than the message has room for", of);
	start_card();
	start_interrupts();
	if (!of)
		alone();
	else if (self == 1)
		first((unsigned)cmdline_number("laps", 3));
	else
		relay();
	pass();
}
