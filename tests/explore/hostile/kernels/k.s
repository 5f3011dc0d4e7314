# kernel <b>
f:
	retq
