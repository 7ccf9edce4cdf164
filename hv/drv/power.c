/* SPDX-License-Identifier: BSD-2-Clause */
/* Switching the physical machine off: ACPI, "Transitioning from the Working to the Soft Off State".
 */
#include "hv/drv/power.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/smp.h"
#include "hv/cpu/tsc.h"
#include "hv/ctl/log.h"
#include "hv/drv/uart.h"

#define PM1_SCI_EN	  BIT(0)
#define PM1_SLP_TYP_SHIFT 10
#define PM1_SLP_TYP_MASK  (7u << PM1_SLP_TYP_SHIFT)
#define PM1_SLP_EN	  BIT(13)

#define ACPI_ENABLE_MS 300
#define OFF_WAIT_MS    1000
#define BOCHS_OFF_PORT 0x8900
#define WHY_MAX	       400

static struct {
	u16 pm1a, pm1b, smi_command;
	u8 acpi_enable, typ_a, typ_b;
	bool s5;
} off;
static u32 ending; /* CPUs that have called machine_off() */

void power_init(const struct acpi_info *acpi)
{
	off.pm1a = acpi->pm1a_control;
	off.pm1b = acpi->pm1b_control;
	off.smi_command = acpi->smi_command;
	off.acpi_enable = acpi->acpi_enable;
	off.typ_a = acpi->s5_typ_a;
	off.typ_b = acpi->s5_typ_b;
	off.s5 = acpi->s5_found && acpi->pm1a_control;
}

static void wait_ms(u64 ms)
{
	if (tsc_hz())
		delay_us(ms * 1000);
}

static void sleep_write(u16 port, u8 typ)
{
	u16 keep = inw(port) & (u16) ~(PM1_SLP_TYP_MASK | PM1_SLP_EN);

	outw(port, (u16)(keep | (typ & 7u) << PM1_SLP_TYP_SHIFT | PM1_SLP_EN));
}

static void acpi_off(void)
{
	if (!off.s5)
		return;
	if (off.smi_command && off.acpi_enable && !(inw(off.pm1a) & PM1_SCI_EN)) {
		outb(off.smi_command, off.acpi_enable);
		for (unsigned ms = 0; ms < ACPI_ENABLE_MS && !(inw(off.pm1a) & PM1_SCI_EN); ms++)
			wait_ms(1);
	}
	sleep_write(off.pm1a, off.typ_a);
	if (off.pm1b)
		sleep_write(off.pm1b, off.typ_b);
	wait_ms(OFF_WAIT_MS);
}

void machine_off(int status, const char *why)
{
	static const char shutdown[] = "Shutdown";
	char text[WHY_MAX];

	irq_disable();
	if (__atomic_fetch_add(&ending, 1, __ATOMIC_SEQ_CST))
		cpu_halt_forever();
	smp_stop_others();
	uart_emergency();
	uart_flush_all(); /* who reads "@end" may think that this was all */
	log_json_string(text, sizeof(text), why);
	log_machine("@end {\"status\":%d,\"why\":%s}", status, text);
	uart_flush_all();
	acpi_off();
	for (const char *s = shutdown; *s; s++)
		outb(BOCHS_OFF_PORT, (u8)*s);
	log_err("the machine cannot be switched off: halted");
	uart_flush_all();
	cpu_halt_forever();
}
