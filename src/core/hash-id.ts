import { hash } from 'node:crypto'

/** Under which key a store or a memory keeps an id. Most ids are bearer secrets (tokens, codes, cookies), so that neither holds them. */
export function hashId(id: string): string {
  return hash('sha256', id, 'base64url')
}
