-- For the benchmark: everybody may log in with the password "p", and a message to the server itself goes to all who are online.
local st = require "util.stanza";
local new_sasl = require "util.sasl".new;

local function test(_, password) return password == "p"; end

module:provides("auth", {
	name = "bench";
	test_password = test;
	user_exists = function () return true; end;
	get_sasl_handler = function ()
		return new_sasl(module.host, { plain_test = function (_, username, password) return test(username, password), true; end });
	end;
});

module:hook("message/host", function (event)
	for jid in pairs(prosody.full_sessions) do
		local copy = st.clone(event.stanza);
		copy.attr.to = jid;
		module:send(copy);
	end
	return true;
end, 10);
