// A bare relay in Node.js: it stores nothing, checks nothing, and answers once the destination has answered.
// node relay.mjs LISTEN_PORT DESTINATION_PORT
import http from 'node:http'
import { Pool } from 'undici'

const [listenPort, destinationPort] = process.argv.slice(2).map(Number)
const pool = new Pool(`http://127.0.0.1:${destinationPort}`, { connections: 64 })

http.createServer((request, response) => {
  const chunks = []
  request.on('data', chunk => chunks.push(chunk))
  request.on('end', async () => {
    const answer = await pool.request({
      path: '/uplinks', method: 'POST', body: Buffer.concat(chunks),
      headers: { 'content-type': 'application/json' },
    })
    await answer.body.dump()
    response.writeHead(answer.statusCode, { 'content-length': 0 })
    response.end()
  })
}).listen(listenPort, '127.0.0.1')
