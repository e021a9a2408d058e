-- Prints what is unread, from every app, and marks it as read. With LuaXMLRPC and LuaSocket.
--
-- ADDRESS=http://127.0.0.1:8000 NAME=ann PASSWORD=... lua5.1 unread.lua

local mime = require "mime"
local url = require "socket.url"
local xmlrpc = require "xmlrpc"
require "xmlrpc.http"

local endpoint = url.parse(os.getenv("ADDRESS") .. "/RPC2")
endpoint.user, endpoint.password = os.getenv("NAME"), url.escape(os.getenv("PASSWORD"))

local function call(method, ...)
  local ok, answer = xmlrpc.http.call(url.build(endpoint), method, ...)
  if not ok then error(method .. ": " .. tostring(answer), 0) end
  if not answer.result then error(method .. ": " .. mime.unb64(answer.result_text), 0) end
  return answer
end

-- Text comes as base64, which LuaXMLRPC leaves as it is.
local function text(encoded)
  return encoded and mime.unb64(encoded) or ""
end

for _, listed in ipairs(call("get_conversations", 0, 49).list) do
  local total, unread = listed.total_message_num, listed.unread_num
  if unread > 0 then print("# " .. text(listed.conv_subject)) end
  -- A call gives 50 at most, and moves the read mark to the last of them: so the oldest come first. Of
  -- what was marked as unread one's own is not counted: so it begins a call earlier.
  local first = unread > 0 and math.max(0, total - unread - 50) or total
  for start = first, total - 1, 50 do
    local talk = call("get_conversation", listed.conv_id, start, math.min(start + 49, total - 1))
    for _, message in ipairs(talk.list) do
      if message.is_unread then
        print(text(talk.participants[message.msg_author_id].username) .. ": " .. text(message.msg_content))
      end
    end
  end
end
print(call("get_inbox_stat").inbox_unread_count .. " conversations are still unread.")
