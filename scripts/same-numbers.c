/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bochs takes its guests' random numbers (RDRAND, RDSEED) from rand(), seeded with the time of day.
 * Preloaded into it, this leaves rand() with the seed that it starts with: so the same image takes
 * the same ticks in every run.
 */
void srand(unsigned int seed);

void srand(unsigned int seed)
{
	(void)seed;
}
