import { readFileSync, writeFileSync } from 'node:fs';

const PRINTK = '/proc/sys/kernel/printk';
/** Messages of this level, errors, and of lesser ones stay in the kernel's log. */
const ERRORS = 3;

/**
 * Apps make the kernel speak: each end for want of memory is an error to it. A processor that writes that to a console on a serial line does
 * nothing else for milliseconds, whoever waits there. On the whole machine; see proc_sys_kernel(5).
 */
export function keepErrorsOffConsole(): void {
  try {
    const level = Number.parseInt(readFileSync(PRINTK, 'latin1'), 10);
    if (level > ERRORS) writeFileSync(PRINTK, String(ERRORS));
  } catch (error) {
    console.error('What apps make the kernel say goes to the console:', error);
  }
}
