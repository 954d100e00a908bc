/**
 * Folder of this package, ends with a slash: that of the sources, or the one above the compiled files. Files that
 * are no code (styles, islands, icons) stay where they are and are read from here in both forms.
 */
export const PACKAGE_FOLDER: URL = new URL(import.meta.url.endsWith('.ts') ? './' : '../', import.meta.url);
