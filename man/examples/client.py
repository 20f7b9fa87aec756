import json, os, zmq

socket = zmq.Context().socket(zmq.REQ)
socket.connect(os.environ["ZPROC_ADDRESS"])

def ask(op, value=None, **fields):
    frames = [json.dumps({"v": 1, "id": 1, "op": op, **fields})]
    if value is not None:
        frames.append(json.dumps(value))
    socket.send_multipart([frame.encode() for frame in frames])
    header, *value = [json.loads(frame) for frame in socket.recv_multipart()]
    if not header["ok"]:
        raise RuntimeError(header["error"] + ": " + header["message"])
    return value[0] if value else None

ask("set", "ordered", key="pizza")
print(ask("get", key="pizza"))
print(ask("incr", key="orders"))
