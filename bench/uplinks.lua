-- wrk's side of bench/load.py: sends each uplink of a file once, prints how many were answered 200, and ends.
-- wrk -t1 -c64 -d1h -s uplinks.lua URL -- FILE PATH

local requests, sent, answered, accepted = {}, -1, 0, 0

function init(arguments)
   local lines = io.lines(arguments[1])
   for query in lines do
      local body = lines()
      requests[#requests + 1] = "POST " .. arguments[2] .. "?" .. query .. " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
         .. "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
   end
end

-- wrk asks once before it begins, only to look at the request. When all are sent, a socket waits for nothing.
function request()
   sent = sent + 1
   return requests[math.max(sent, 1)] or ""
end

function response(status)
   answered = answered + 1
   if status == 200 then accepted = accepted + 1 end
   if answered == #requests then
      print(accepted)
      io.stdout:flush()
      os.exit(0)
   end
end
