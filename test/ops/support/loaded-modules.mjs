// Preloaded into a process: says which files it loads, one line of JSON each, on descriptor 3.
import { writeSync } from 'node:fs'
import { registerHooks } from 'node:module'

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    if (url.startsWith('file:')) writeSync(3, `${JSON.stringify({ url, bytes: Buffer.byteLength(loaded.source ?? '') })}\n`)
    return loaded
  },
})
