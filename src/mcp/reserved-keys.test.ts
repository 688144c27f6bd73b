import { expect, it } from 'vitest'
import type { JsonMembers } from '../core/json/json-outline.ts'
import { outlineJson } from '../core/json/strict-json.ts'
import { refuseLookAlikes, reserveKeys } from './reserved-keys.ts'

const membersOf = (key: string) => outlineJson(JSON.stringify({ [key]: 1 }), 4, 1).members as JsonMembers

it.each(['meßage', 'MESſAGE', 'message\0', 'Message'])(
  '%j is taken for "message" by the careless, also where it has another length',
  (key) => {
    expect(() => refuseLookAlikes(membersOf(key), reserveKeys('message'))).toThrow(
      expect.objectContaining({ code: 'json_ambiguous' }),
    )
    expect(() => refuseLookAlikes(membersOf('message'), reserveKeys('message'))).not.toThrow()
    expect(() => refuseLookAlikes(membersOf('mesage'), reserveKeys('message'))).not.toThrow()
  },
)
