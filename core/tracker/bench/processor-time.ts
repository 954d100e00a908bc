import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks per second of /proc (USER_HZ, 100 on every Linux that Node runs on). */
const TICKS = 100;

interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** Own time and that of ended children, milliseconds. */
  readonly millis: number;
}

/** CPU milliseconds that a process and all below it have used so far, split by `core` and `database`. */
export function readProcessorTime(root: number): { core: number; database: number } {
  const rows = listProcesses();
  const below = new Set([root]);
  // Children have larger pids nearly always, but not after a wrap: go round until nothing is added.
  for (let grown = true; grown; ) {
    grown = false;
    for (const row of rows) {
      if (below.has(row.parent) && !below.has(row.pid)) {
        below.add(row.pid);
        grown = true;
      }
    }
  }
  let core = 0;
  let database = 0;
  for (const row of rows) {
    if (!below.has(row.pid)) continue;
    if (row.name.startsWith('postgres')) database += row.millis;
    else core += row.millis;
  }
  return { core, database };
}

/** Resident memory of one process in MiB. */
export function readMemory(pid: number): number {
  const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib ?? 0) / 1024;
}

function listProcesses(): ProcessRow[] {
  const rows: ProcessRow[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    let stat: string;
    try {
      stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
    } catch {
      continue; // ended meanwhile
    }
    // The name stands in parentheses and may hold anything.
    const end = stat.lastIndexOf(')');
    const fields = stat.slice(end + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14]);
    rows.push({
      pid: Number(entry),
      parent: Number(fields[1]),
      name: stat.slice(stat.indexOf('(') + 1, end),
      millis: (ticks * 1000) / TICKS,
    });
  }
  return rows;
}
