/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI fixed hardware. The PM timer is computed from the TSC whenever someone looks. */
#include "hv/dev/pm.h"

#include "hv/lib/string.h"

/* ACPI 6.3, "PM1 Event Grouping" and "PM1 Control Grouping" */
#define PM1_TMR	      BIT(0)
#define PM1_GBL	      BIT(5)
#define PM1_PWRBTN    BIT(8)
#define PM1_RTC	      BIT(10)
#define PM1_ENABLES   (PM1_TMR | PM1_GBL | PM1_PWRBTN | PM1_RTC)
#define CNT_SCI_EN    BIT(0)
#define CNT_SLP_SHIFT 10
#define CNT_SLP_MASK  7u
#define CNT_SLP_EN    BIT(13)
#define CNT_WRITABLE  (CNT_SLP_MASK << CNT_SLP_SHIFT) /* SCI_EN is fixed, SLP_EN reads as 0 */

#define REG_STATUS  PM_EVENT
#define REG_ENABLE  (PM_EVENT + 2)
#define CARRY_SHIFT 31 /* TMR_STS is set whenever bit 31 of the timer changes */

static u64 ticks(const struct pm *pm)
{
	return muldiv64(timerq_now(pm->tq) - pm->origin, PM_TIMER_HZ, pm->tq->hz);
}

static u16 status(const struct pm *pm)
{
	bool carried = ticks(pm) >> CARRY_SHIFT != pm->seen_carries;

	return (u16)(pm->status | (carried ? PM1_TMR : 0));
}

/* Sets the SCI by status and enable, and wakes up for the next carry if that would be one. */
static void update_sci(struct pm *pm)
{
	u64 next = ((ticks(pm) >> CARRY_SHIFT) + 1) << CARRY_SHIFT;

	wire_set(&pm->sci, (status(pm) & pm->enable) != 0);
	if (pm->enable & PM1_TMR) /* one tick late rather than early */
		timer_arm(pm->tq, &pm->carry,
			pm->origin + muldiv64(next + 1, pm->tq->hz, PM_TIMER_HZ));
	else
		timer_cancel(pm->tq, &pm->carry);
}

static void carry(struct timer *t)
{
	update_sci(container_of(t, struct pm, carry));
}

static void write_status(struct pm *pm, u16 ones)
{
	pm->status &= (u16)~ones;
	if (ones & PM1_TMR)
		pm->seen_carries = ticks(pm) >> CARRY_SHIFT;
	update_sci(pm);
}

static void write_control(struct pm *pm, u16 value)
{
	pm->control = (u16)((value & CNT_WRITABLE) | CNT_SCI_EN);
	if ((value & CNT_SLP_EN) && (value >> CNT_SLP_SHIFT & CNT_SLP_MASK) == PM_SLP_TYP_S5)
		pm->power_off(pm->ctx);
}

static u8 get(void *dev, u64 offset)
{
	const struct pm *pm = dev;
	unsigned shift = offset % 2 * BITS_PER_BYTE;

	switch (ALIGN_DOWN(offset, 2)) {
	case REG_STATUS: return (u8)(status(pm) >> shift);
	case REG_ENABLE: return (u8)(pm->enable >> shift);
	case PM_CONTROL: return (u8)(pm->control >> shift);
	case PM_TIMER:
	case PM_TIMER + 2: return (u8)(ticks(pm) >> ((offset - PM_TIMER) * BITS_PER_BYTE));
	default: return 0;
	}
}

static u64 pm_read(void *dev, u64 offset, unsigned size)
{
	if (offset == PM_TIMER && size == PM_TIMER_LEN)
		return (u32)ticks(dev);
	return bytewise_read(get, dev, offset, size);
}

/* A byte of a register: the other byte stays (of status: is not cleared). */
static void put(void *dev, u64 offset, u8 byte)
{
	struct pm *pm = dev;
	unsigned shift = offset % 2 * BITS_PER_BYTE;
	u16 bits = (u16)(byte << shift);
	u16 keep = (u16) ~(0xffu << shift);

	switch (ALIGN_DOWN(offset, 2)) {
	case REG_STATUS: write_status(pm, bits); break;
	case REG_ENABLE:
		pm->enable = (u16)(((pm->enable & keep) | bits) & PM1_ENABLES);
		update_sci(pm);
		break;
	case PM_CONTROL: write_control(pm, (u16)((pm->control & keep) | bits)); break;
	default: break; /* the timer is read-only */
	}
}

static void pm_write(void *dev, u64 offset, unsigned size, u64 value)
{
	bytewise_write(put, dev, offset, size, value);
}

const struct io_ops pm_io = { .read = pm_read, .write = pm_write };

void pm_power_button(struct pm *pm)
{
	pm->status |= (u16)PM1_PWRBTN;
	update_sci(pm);
}

void pm_reset(struct pm *pm)
{
	pm->status = 0;
	pm->enable = 0;
	pm->control = CNT_SCI_EN;
	pm->origin = timerq_now(pm->tq);
	pm->seen_carries = 0;
	update_sci(pm);
}

void pm_init(struct pm *pm, struct timerq *tq, const struct wire *sci, void (*power_off)(void *ctx),
	void *ctx)
{
	memset(pm, 0, sizeof(*pm));
	pm->tq = tq;
	pm->sci = *sci;
	pm->power_off = power_off;
	pm->ctx = ctx;
	timer_init(&pm->carry, carry);
	pm_reset(pm);
}

void pm_destroy(struct pm *pm)
{
	timer_cancel(pm->tq, &pm->carry);
}
