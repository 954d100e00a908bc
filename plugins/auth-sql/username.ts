import { invalidField } from '@bugless/kit/service';

/** Characters of a username, and of a group's name. */
export const MAX_USERNAME_LENGTH = 64;
const MAX_DISPLAY_NAME_LENGTH = 200;
const MAX_EMAIL_BYTES = 254;
const MAX_AVATAR_LENGTH = 2000;
/** Words of one display name that can be searched by. */
const MAX_WORDS = 12;
const MAX_WORD_LENGTH = 64;

const USERNAME_FORM = /^[\p{L}\p{M}\p{N}._\-+@]+$/u;
const CONTROL = /\p{Cc}/u;

/** What usernames are compared by: without case, and in one form of each letter (NFKC). */
export function toUsernameKey(username: string): string {
  return username.normalize('NFKC').toLowerCase().normalize('NFKC');
}

/**
 * Checks a username (or a group's name) and returns it in the form that is stored.
 *
 * Throws INVALID_ARGUMENT that names `field`.
 */
export function checkUsername(username: string, field: string): string {
  const name = username.normalize('NFKC');
  const length = [...name].length;
  if (length === 0) throw invalidField(field, 'is empty; give 1 to 64 characters');
  if (length > MAX_USERNAME_LENGTH)
    throw invalidField(field, `has ${length} characters; at most ${MAX_USERNAME_LENGTH}`);
  if (!USERNAME_FORM.test(name)) {
    throw invalidField(field, 'may have letters, digits and . _ - + @ only');
  }
  return name;
}

/**
 * Bends a name of another tracker into a valid username: what is not allowed becomes `-`,
 * ends are trimmed, the length leaves room for a number. Never empty.
 */
export function bendUsername(wanted: string): string {
  const bent = wanted
    .normalize('NFKC')
    .replace(/[^\p{L}\p{M}\p{N}._\-+@]+/gu, '-')
    .replace(/^-+|-+$/g, '');
  return (
    [...bent]
      .slice(0, MAX_USERNAME_LENGTH - 7)
      .join('')
      .replace(/-+$/, '') || 'user'
  );
}

/** Checks a display name; an empty one falls back to the username. */
export function checkDisplayName(displayName: string, username: string, field: string): string {
  const name = displayName.trim();
  if (name === '') return username;
  const length = [...name].length;
  if (length > MAX_DISPLAY_NAME_LENGTH) {
    throw invalidField(field, `has ${length} characters; at most ${MAX_DISPLAY_NAME_LENGTH}`);
  }
  if (CONTROL.test(name)) throw invalidField(field, 'has a control character');
  return name;
}

/** Checks an e-mail address: enough to be one, no attempt to prove that it is reachable. Empty is allowed. */
export function checkEmail(email: string, field: string): string {
  const address = email.trim();
  if (address === '') return '';
  if (Buffer.byteLength(address) > MAX_EMAIL_BYTES) throw invalidField(field, `is over ${MAX_EMAIL_BYTES} bytes`);
  if (!/^[^\s@<>"(),;:\\]+@[^\s@<>"(),;:\\]+$/.test(address) || CONTROL.test(address)) {
    throw invalidField(field, 'is not an e-mail address');
  }
  return address;
}

/** Checks the address of a picture: an https URL, or empty. */
export function checkAvatar(avatar: string, field: string): string {
  if (avatar === '') return '';
  if (avatar.length > MAX_AVATAR_LENGTH) throw invalidField(field, `is over ${MAX_AVATAR_LENGTH} characters`);
  const url = URL.canParse(avatar) ? new URL(avatar) : undefined;
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') {
    throw invalidField(field, 'is not an https URL');
  }
  return url.href;
}

/**
 * Tells whether a text can be an id or a word of ours: visible ASCII, at most 64 characters, or
 * empty. What is not is unknown to the store, which is not asked (NUL would be an error there).
 */
export function isPlain(text: string): boolean {
  return /^[\x21-\x7e]{0,64}$/.test(text);
}

/** Cuts text of others (a user agent, an address) to what is kept; control characters become spaces. */
export function cutText(text: string, length: number): string {
  return text
    .slice(0, length)
    .replace(/\p{Cc}/gu, ' ')
    .toWellFormed();
}

function cutWord(word: string): string {
  return [...word].slice(0, MAX_WORD_LENGTH).join('');
}

/**
 * What a user is found by: the username, and each word of the display name; of a word with
 * punctuation inside (`Jean-Luc`) also its parts.
 */
export function splitNameWords(username: string, displayName: string): string[] {
  const words = new Set<string>([cutWord(toUsernameKey(username))]);
  for (const chunk of toUsernameKey(displayName).split(/\s+/u)) {
    const word = chunk.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, '');
    for (const part of [word, ...word.split(/[^\p{L}\p{M}\p{N}]+/u)]) {
      if (part !== '' && words.size <= MAX_WORDS) words.add(cutWord(part));
    }
  }
  return [...words];
}

/** Most words that {@link splitNameWords} answers. */
export const MAX_NAME_WORDS = MAX_WORDS + 1;

/** Splits what somebody typed into a picker; every part has to begin some word. Longest first. */
export function splitPrefix(prefix: string): string[] {
  const parts = toUsernameKey(prefix)
    .split(/\s+/u)
    .map((part) => cutWord(part.replace(/^[^\p{L}\p{N}._\-+@]+/u, '')))
    .filter((part) => part !== '');
  return [...new Set(parts)].sort((a, b) => b.length - a.length).slice(0, 5);
}
