const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A time span in a configuration: a number with its unit, `90s`, `15m`, `12h`, `14d`. */
export const DURATION_PATTERN = '^[1-9][0-9]{0,5}[smhd]$';

/** Milliseconds of such a span. The configuration's schema has checked its form. */
export function parseDuration(text: string): number {
  const unit = text.at(-1) as keyof typeof UNITS;
  return Number(text.slice(0, -1)) * UNITS[unit];
}
