// Attack family S: a valid user presents what a stdio server of 2026-07-28 gave to another one.
import { afterEach, describe, expect, it } from 'vitest'
import { openStdioGate, type StdioGate, scripted } from '../support/gate.ts'
import { callModern, readAnswer, readEvents, sendModern, textOf } from '../support/mcp-requests.ts'

let gate: StdioGate
afterEach(() => gate.close())

/** Others than Alice, some of whom look like her. */
const others = ['bob', 'alice~alice', '~alice', '~machine', 'Alice']
const extension = { capabilities: { extensions: { 'io.modelcontextprotocol/tasks': {} } } }
const as = (user: string) => ({ ...extension, user })

describe.each(['shared', 'session'] as const)('a stdio server of 2026-07-28 (a child per %s)', (processPer) => {
  const open = async () => {
    gate = await openStdioGate({ command: scripted, processPer, env: { ERA: 'modern' } })
    return gate.origin
  }
  const createTask = async (origin: string, user: string): Promise<string> =>
    (await readAnswer(callModern(origin, 'task', {}, as(user)))).result.taskId

  it('gives a task to its user, whatever client they use', async () => {
    const origin = await open()
    const taskId = await createTask(origin, 'alice')
    for (const user of ['alice', 'alice~registered-anew']) {
      const { result } = await readAnswer(sendModern(origin, 'tasks/get', { taskId }, as(user)))
      expect(result).toMatchObject({ taskId, status: 'working' })
    }
    expect((await readAnswer(sendModern(origin, 'tasks/update', { taskId }, as('alice')))).result.resultType).toBe('complete')
    expect((await readAnswer(sendModern(origin, 'tasks/cancel', { taskId }, as('alice')))).result.resultType).toBe('complete')
    expect((await readAnswer(sendModern(origin, 'tasks/get', { taskId }, as('alice')))).result.status).toBe('cancelled')
  })

  it('gives a task to no other user, by no method', async () => {
    const origin = await open()
    const taskId = await createTask(origin, 'alice')
    // The server's own id, and where users have processes of their own, one that exists there as well.
    await createTask(origin, 'bob')
    for (const user of others)
      for (const id of [taskId, 'task-1', taskId.slice(taskId.indexOf('.') + 1), `.${taskId}`, '', 7, undefined, [taskId]])
        for (const method of ['tasks/get', 'tasks/cancel', 'tasks/update', 'tasks/result', 'tasks/list', 'tasks/of-tomorrow']) {
          const { error } = await readAnswer(sendModern(origin, method, { taskId: id, cursor: id }, as(user)))
          expect(error?.code, `${method} ${id} as ${user}`).toBe(-32602)
        }
    const { result } = await readAnswer(sendModern(origin, 'tasks/get', { taskId }, as('alice')))
    expect(result.status).toBe('working')
  })

  it('gives a task to no other user who names it in another spelling beside one of their own: some decoders take either', async () => {
    const origin = await open()
    await createTask(origin, 'alice')
    const own = await createTask(origin, 'bob')
    const refused = async (method: string, params: Record<string, unknown>) => {
      const { error } = await readAnswer(sendModern(origin, method, params, as('bob')))
      expect(error?.data.error, JSON.stringify(params)).toBe('json_ambiguous')
    }
    for (const key of ['taskid', 'TaskId', 'ta\u017fkId', 'tas\u212aId', 'taskId\0'])
      for (const method of ['tasks/get', 'tasks/cancel']) await refused(method, { taskId: own, [key]: 'task-1' })
    for (const key of ['requeststate', 'RequestState']) await refused('tools/call', { name: 'stateful', [key]: 'the-state' })
    await refused('subscriptions/listen', { notifications: { taskIds: [own], TaskIds: ['task-1'] } })
  })

  it('keeps the tasks of two machines apart', async () => {
    const origin = await open()
    const taskId = await createTask(origin, '~robot')
    const get = async (user: string) => readAnswer(sendModern(origin, 'tasks/get', { taskId }, as(user)))
    expect((await get('~robot')).result.status).toBe('working')
    expect((await get('~other')).error.code).toBe(-32602)
    expect((await get('robot~robot')).error.code).toBe(-32602)
  })

  it('tells of a task on the subscriptions of its user alone', async () => {
    const origin = await open()
    const taskId = await createTask(origin, 'alice')
    const listen = (user: string, taskIds: unknown) =>
      sendModern(origin, 'subscriptions/listen', { notifications: { taskIds, toolsListChanged: true } }, as(user))
    for (const ids of [[taskId], ['task-1'], taskId, [7]])
      expect((await readAnswer(listen('bob', ids))).error.code, String(ids)).toBe(-32602)
    const [mine, bobs] = [readEvents(await listen('alice', [taskId])), readEvents(await listen('bob', []))]
    const next = async (events: typeof mine) => JSON.parse((await events.next()).value!.data)
    expect((await next(mine)).params.notifications.taskIds).toEqual([taskId])
    await next(bobs)
    for (const user of ['alice', 'bob']) {
      await readAnswer(callModern(origin, 'taskChanged', { taskId: 'task-1' }, { user }))
      await readAnswer(callModern(origin, 'changed', {}, { user }))
    }
    const heard = await next(mine)
    expect([heard.method, heard.params.taskId]).toEqual(['notifications/tasks', taskId])
    expect((await next(bobs)).method).toBe('notifications/tools/list_changed')
  })

  it('takes no request for the notification that it is named after: some servers end subscriptions of others by it', async () => {
    const origin = await open()
    const mine = readEvents(
      await sendModern(origin, 'subscriptions/listen', { notifications: { toolsListChanged: true } }, as('alice')),
    )
    await mine.next()
    for (let requestId = 0; requestId < 10; requestId++) {
      const { error } = await readAnswer(sendModern(origin, 'notifications/cancelled', { requestId }, as('bob')))
      expect(error?.data?.error).toBe('message_invalid')
    }
    expect(gate.stderr.filter((line) => line.startsWith('cancelled'))).toEqual([])
  })

  it('goes on with a request state for its user alone', async () => {
    const origin = await open()
    const call = (user: string, requestState?: unknown) =>
      readAnswer(sendModern(origin, 'tools/call', { name: 'stateful', arguments: {}, requestState }, { user }))
    const { requestState } = (await call('alice')).result
    for (const user of others)
      for (const state of [requestState, 'the-state', '', 7, { a: 1 }, [requestState]])
        expect((await call(user, state)).error?.code, `${state} as ${user}`).toBe(-32602)
    for (const state of [[requestState], [requestState, requestState], [], { state: requestState }, null])
      expect((await call('alice', state)).error?.code, JSON.stringify(state)).toBe(-32602)
    expect(textOf(await call('alice~registered-anew', requestState))).toBe('went on with the-state')
  })
})
