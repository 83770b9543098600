"""How a mixture is found: methods are coroutines that ask for statistics; nothing here prints or writes."""
