import { hash } from 'node:crypto'

/** Under which key the store keeps an id. Most ids are bearer secrets (tokens, codes, cookies), so the store never sees them. */
export function hashId(id: string): string {
  return hash('sha256', id, 'base64url')
}
