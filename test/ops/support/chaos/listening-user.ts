import { request } from 'node:http'
import type { Outcome } from '../client.ts'
import type { Player } from '../fleet/players.ts'
import type { Caller } from '../fleet/requests.ts'
import { readEvents, type Verdict } from '../fleet/verdict.ts'

const LISTENS_MS = 3000

/** A user who listens on an event stream for a while, on which only events for that user may come. */
export const listen: Player = async (caller, journal, isOver) => {
  const outcome = await openStream(caller, isOver)
  journal.note('event stream', outcome, judgeStream(caller, outcome))
}

/** Complete where the client closed it, or the server ended it. */
async function openStream({ origin, agent, findToken }: Caller, isOver: () => boolean): Promise<Outcome> {
  const startedAt = performance.now()
  const headers = {
    host: new URL(origin).host,
    accept: 'text/event-stream',
    authorization: `Bearer ${await findToken('/tickets')}`,
  }
  return new Promise((resolve) => {
    let body = ''
    const end = (status: number, isComplete: boolean) =>
      resolve({ status, headers: {}, body, isComplete, ms: performance.now() - startedAt, firstMs: undefined })
    const asked = request(`${origin}/tickets`, { agent, headers }, (response) => {
      const status = response.statusCode ?? 0
      let isClosing = false
      const timer = setInterval(() => {
        if (!isOver() && performance.now() - startedAt < LISTENS_MS) return
        isClosing = true
        response.destroy()
      }, 50)
      response.on('data', (chunk) => (body += chunk))
      response.on('error', () => undefined)
      response.once('close', () => {
        clearInterval(timer)
        end(status, isClosing || response.complete)
      })
    })
    asked.once('error', () => end(0, false))
    asked.end()
  })
}

function judgeStream({ user }: Caller, { status, body, isComplete }: Outcome): Verdict {
  if (!isComplete) return 'broken'
  if (status !== 200) return status >= 400 ? 'refused' : 'wrong'
  // The last event may have been cut when the stream was closed.
  const events = readEvents(body.slice(0, body.lastIndexOf('\n\n') + 2)).map((data) => JSON.parse(data).params.data as string)
  return events.every((text) => text.startsWith(`${user} `)) ? 'right' : 'wrong'
}
