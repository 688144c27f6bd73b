import { type Mistake, quote } from '../problem/problem.ts'

/** A host name, with a port or without. */
export function findDomainMistake(text: string): Mistake | undefined {
  if (/^[a-z\d](?:[a-z\d-]*[a-z\d])?(?:\.[a-z\d](?:[a-z\d-]*[a-z\d])?)+(?::\d{1,5})?$/i.test(text)) return undefined
  const fix = /^https?:\/\//i.test(text)
    ? 'Leave out the scheme and everything after the host.'
    : 'Write it like acme.example.com.'
  return { reason: `${quote(text)} is not a host name`, fix }
}

/** A name that stands between two slashes of a URL. */
export function findSegmentMistake(text: string): Mistake | undefined {
  if (/^[\w~@.-]+(?: [\w~@.-]+)*$/.test(text) && !/^\.{1,2}$/.test(text)) return undefined
  return { reason: `${quote(text)} cannot be part of a URL`, fix: 'Write only the name or id, not the whole URL.' }
}

/** What Asgardeo takes as the name of an application, without the spaces that its filters trip over. */
export function findApplicationNameMistake(text: string): Mistake | undefined {
  if (/^[A-Za-z\d._-]{1,100}$/.test(text)) return undefined
  return {
    reason: `${quote(text)} cannot be the name of an application`,
    fix: 'Use up to 100 letters, digits, `.`, `_` and `-`.',
  }
}

/** A text without spaces and control characters. */
export function findWordMistake(text: string): Mistake | undefined {
  if (/^[\x21-\x7e]{1,500}$/.test(text) && !text.includes('"')) return undefined
  return { reason: `${quote(text)} cannot be an identifier`, fix: 'Write it as it is registered, without spaces.' }
}
