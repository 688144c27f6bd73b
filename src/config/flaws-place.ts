import { type Flaw, quote } from './problem.ts'

/** A host name, with a port or without. */
export function findDomainFlaw(text: string): Flaw | undefined {
  if (/^[a-z\d](?:[a-z\d-]*[a-z\d])?(?:\.[a-z\d](?:[a-z\d-]*[a-z\d])?)+(?::\d{1,5})?$/i.test(text)) return undefined
  const fix = /^https?:\/\//i.test(text)
    ? 'Leave out the scheme and everything after the host.'
    : 'Write it like acme.example.com.'
  return { reason: `${quote(text)} is not a host name`, fix }
}

/** A name that stands between two slashes of a URL. */
export function findSegmentFlaw(text: string): Flaw | undefined {
  if (/^[\w~@.-]+(?: [\w~@.-]+)*$/.test(text) && !/^\.{1,2}$/.test(text)) return undefined
  return { reason: `${quote(text)} cannot be part of a URL`, fix: 'Write the name or id alone, not the URL that it stands in.' }
}
