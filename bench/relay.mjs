// A bare relay in Node.js: it stores nothing, checks nothing, and answers once the destination has answered.
// node relay.mjs LISTEN_PORT DESTINATION_URL
import http from 'node:http'
import { Pool } from 'undici'

const [listenPort, destination] = process.argv.slice(2)
const { origin, pathname } = new URL(destination)
const pool = new Pool(origin, { connections: 64 })

http.createServer((request, response) => {
  const chunks = []
  request.on('data', chunk => chunks.push(chunk))
  request.on('end', async () => {
    const answer = await pool.request({
      path: pathname, method: 'POST', body: Buffer.concat(chunks),
      headers: { 'content-type': 'application/json' },
    })
    await answer.body.dump()
    response.writeHead(answer.statusCode, { 'content-length': 0 })
    response.end()
  })
}).listen(Number(listenPort), '127.0.0.1')
