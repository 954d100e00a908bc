import type { Surface } from './route-table.ts';

/**
 * Pages load only what this server serves, and nothing inline: styles, scripts and images are files.
 * Avatars may stand anywhere on https.
 */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' https: data:",
  "font-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "manifest-src 'self'",
].join('; ');

const ALL = { 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'same-origin' } as const;

const BY_SURFACE: Readonly<Record<Surface, Readonly<Record<string, string>>>> = {
  // JSON is never rendered: nosniff keeps it that way.
  api: { 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-store' },
  page: {
    ...ALL,
    'Content-Security-Policy': PAGE_POLICY,
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
    'X-Frame-Options': 'DENY',
    'Cache-Control': 'no-store',
  },
  system: { ...ALL, 'Content-Security-Policy': "default-src 'none'", 'Cross-Origin-Resource-Policy': 'same-origin' },
};

/** The headers that every answer of a surface carries; with https also Strict-Transport-Security. */
export function makeSecurityHeaders(https: boolean): Readonly<Record<Surface, Readonly<Record<string, string>>>> {
  if (!https) return BY_SURFACE;
  const strict = { 'Strict-Transport-Security': 'max-age=31536000' };
  return {
    api: { ...BY_SURFACE.api, ...strict },
    page: { ...BY_SURFACE.page, ...strict },
    system: { ...BY_SURFACE.system, ...strict },
  };
}
