package semanticmemory

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Pack returns the wire format of an embedding: little-endian float32. Every bit is kept.
func Pack(embedding []float32) []byte {
	packed := make([]byte, 0, 4*len(embedding))
	for _, number := range embedding {
		packed = binary.LittleEndian.AppendUint32(packed, math.Float32bits(number))
	}
	return packed
}

// Unpack returns the numbers of a packed embedding.
func Unpack(packed []byte) ([]float32, error) {
	if len(packed)%4 != 0 {
		return nil, fmt.Errorf("an embedding has four bytes for each number, but this one has %d bytes", len(packed))
	}
	embedding := make([]float32, len(packed)/4)
	for i := range embedding {
		embedding[i] = math.Float32frombits(binary.LittleEndian.Uint32(packed[4*i:]))
	}
	return embedding, nil
}
