import type { IncomingMessage } from 'node:http'

/**
 * Whether a form comes from a page of this very origin, as far as the browser says so. Browsers that say nothing leave it to the cookie
 * and the form's token.
 */
export function isFromOwnPage({ headers }: IncomingMessage, origin: string): boolean {
  const site = headers['sec-fetch-site']
  return (site === undefined || site === 'same-origin') && (headers.origin === undefined || headers.origin === origin)
}
