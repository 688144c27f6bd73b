import { describe, expect, it } from 'vitest'
import { foldParameterName } from './parameter-names.ts'

describe('the name of a parameter, as the most lenient server may read it', () => {
  it.each([
    ['client_id', 'clientid', 'clientid'],
    ['Client.ID', 'clientid', 'clientid'],
    [' client id ', 'clientid', 'clientid'],
    ['client_id\0x', 'clientid', 'clientid'],
    ['[client_id]', 'clientid', 'clientid'],
    ['client_id[]', 'clientid', 'clientid'],
    ['client_id[x]', 'clientidx', 'clientid'],
    ['client_id]x', 'clientidx', 'clientid'],
    ['\u212aey\u017f', 'keys', 'keys'],
    ['\u00c9t\u00e9', '\u00e9t\u00e9', '\u00e9t\u00e9'],
    ['\ufffd', '', ''],
  ])('%j is %s, or one of the list %s', (name, whole, list) => {
    expect(foldParameterName(name)).toEqual([whole, list])
  })
})
