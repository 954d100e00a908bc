/** A plugin that cannot be opened as it is configured: for each problem one line that says where, what, and what to change. */
export class PluginError extends Error {
  override readonly name = 'PluginError';
  /** Ready to be shown: `bugless.yaml:4: model.plugin: package "x" is not installed; run: npm install x`. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[], cause?: unknown) {
    super(problems.join('\n'), cause === undefined ? undefined : { cause });
    this.problems = problems;
  }
}

/** Steps from the root of a configuration: `['authenticators', 0, 'config', 'pool']`. */
export type KeyPath = readonly (string | number)[];

/** Where a section's keys stand in its file. */
export interface SectionPlace {
  /** Key of the section: `model`, `authenticators[0]`. */
  readonly section: string;
  /** `file:line` of a key, or of the nearest above it; undefined: no file. */
  readonly locate?: ((path: KeyPath) => string | undefined) | undefined;
}

/** One problem's line: place, key, text. */
export function formatProblem(place: SectionPlace, path: KeyPath, text: string): string {
  const whole = [...parseSection(place.section), ...path];
  const key = whole.map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? step : `.${step}`)).join('');
  const line = place.locate?.(whole);
  return `${line === undefined ? '' : `${line}: `}${key}: ${text}`;
}

function parseSection(section: string): (string | number)[] {
  return section
    .split(/\.|\[|\]/)
    .filter((step) => step !== '')
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step));
}
