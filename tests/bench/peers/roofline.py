"""What a machine can do at most with a model: from the sizes in a GGUF file and the measured limits."""
import math
import struct

HALVES_AND_FLOATS = (0, 1, 30)  # f32, f16, bf16


class Work:
    """What a model reads and computes. Weights are counted once a step, as they stand in the file; the cache has 16-bit
    keys and values; logits are for the last token of a sequence."""

    def __init__(self, path):
        fields, tensors = read_gguf(path)
        prefix = fields["general.architecture"] + "."
        self.layers = fields[prefix + "block_count"]
        heads = fields[prefix + "attention.head_count"]
        hidden = fields[prefix + "embedding_length"]
        key = fields.get(prefix + "attention.key_length", hidden // heads)
        value = fields.get(prefix + "attention.value_length", hidden // heads)
        self.score_ops = 2 * self.layers * heads * (key + value)  # of one token with one key
        self.cache_bytes = 2 * self.layers * fields.get(prefix + "attention.head_count_kv", heads) * (key + value)
        output = "output.weight" if "output.weight" in tensors else "token_embd.weight"
        self.bytes = sum(t["bytes"] for name, t in tensors.items()
                         if name != "token_embd.weight" or output == "token_embd.weight")
        self.body = sum(t["elements"] for name, t in tensors.items()
                        if t["dimensions"] > 1 and name not in ("token_embd.weight", "output.weight"))
        self.output = tensors[output]["elements"]
        largest = max((t for t in tensors.values() if t["dimensions"] > 1), key=lambda t: t["bytes"])
        self.is_float = largest["type"] in HALVES_AND_FLOATS
        self.has_tokenizer = fields.get("tokenizer.ggml.model", "none") != "none"

    def step(self, sequences, new, before):
        """(bytes, operations) of a step with `new` tokens for each sequence, behind `before` others."""
        pairs = new * before + new * (new + 1) // 2
        return (self.bytes + sequences * self.cache_bytes * (before + new),
                sequences * (2 * self.body * new + 2 * self.output + self.score_ops * pairs))

    def best_speed(self, sequences, new, before, limits):
        """Tokens a second that memory and arithmetic allow."""
        read, operations = self.step(sequences, new, before)
        peak = max(limits["bf16_gops"], limits["f32_gops"]) if self.is_float else limits["int8_gops"]
        return sequences * new / max(read / limits["read_gb_s"], operations / peak) * 1e9


def read_gguf(path):
    """Fields without long lists, and {name: bytes, elements, dimensions, type} of the tensors."""
    with open(path, "rb") as file:
        number = lambda form: struct.unpack("<" + form, file.read(struct.calcsize(form)))[0]
        text = lambda: file.read(number("Q")).decode(errors="replace")
        if file.read(4) != b"GGUF":
            raise ValueError(f"{path}: not a GGUF file")
        number("I")
        tensor_count, field_count = number("Q"), number("Q")
        forms = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

        def value(kind):
            if kind == 8:
                return text()
            if kind == 9:
                inner, count = number("I"), number("Q")
                if inner in (8, 9):
                    for _ in range(count):
                        value(inner)
                else:
                    file.seek(count * struct.calcsize(forms[inner]), 1)
                return None
            return number(forms[kind])

        fields = {}
        for _ in range(field_count):
            name = text()
            fields[name] = value(number("I"))
        tensors, starts = {}, []
        for _ in range(tensor_count):
            name = text()
            shape = [number("Q") for _ in range(number("I"))]
            kind, offset = number("I"), number("Q")
            tensors[name] = {"elements": math.prod(shape), "dimensions": len(shape), "type": kind, "offset": offset}
            starts.append(offset)
        alignment = fields.get("general.alignment", 32)
        data = -(-file.tell() // alignment) * alignment
        file.seek(0, 2)
        ends = dict(zip(sorted(starts), sorted(starts)[1:] + [file.tell() - data]))
    for tensor in tensors.values():
        tensor["bytes"] = ends[tensor["offset"]] - tensor["offset"]
    return fields, tensors
