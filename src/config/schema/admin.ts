import { z } from 'zod'
import { findHostMistake, findListenHostMistake } from '../format/formats.ts'
import type { Mistake } from '../problem/problem.ts'
import { list, secret, text, whole } from './values.ts'

/** Any host would let web pages in by DNS rebinding. */
function findAdminHostMistake(value: string): Mistake | undefined {
  if (value !== '*') return findHostMistake(value)
  return { reason: 'would let every web page reach the admin listener', fix: 'Write the names by which it is asked.' }
}

export const admin = z
  .strictObject({
    port: whole(0, 65_535).describe('Port of the admin listener; 0 picks a free port, which the start tells.'),
    host: text(findListenHostMistake)
      .default('127.0.0.1')
      .describe('Address of the admin listener. Beyond loopback, everyone who reaches it can read the metrics.'),
    allowed_hosts: list(text(findAdminHostMistake))
      .default([])
      .describe(
        'Names in `Host` that are accepted beside addresses and `localhost`: the name by which your monitoring reaches it.',
      ),
    token: secret
      .optional()
      .describe(
        'Bearer token for requests that change something (POST), at least 32 characters. Without it there are none. Reading needs no token.',
      ),
  })
  .describe('A listener of its own for operators, with metrics at `/metrics`. Off unless given.')
