// A network with layers of many kinds, which the hostile tests and the fuzz target change.
#pragma once

#include "network_builder.h"

namespace anemone::neural_network {

inline std::string SmallNetwork() {
  NetworkBuilder net;
  net.Input("x", {2, 4, 4}).Output("y");
  auto* conv = net.Layer({"x"}, {"a"})->mutable_convolution();
  conv->set_kernelchannels(2);
  conv->set_outputchannels(2);
  for (int i = 0; i < 2; ++i) conv->add_kernelsize(1);
  conv->mutable_weights()->set_rawvalue(std::string("\x1b", 1));
  conv->mutable_weights()->mutable_quantization()->set_numberofbits(2);
  auto* linear = conv->mutable_weights()->mutable_quantization()->mutable_linearquantization();
  linear->add_scale(1);
  linear->add_bias(0);
  auto* pool = net.Layer({"a"}, {"b"})->mutable_pooling();
  for (int i = 0; i < 2; ++i) pool->add_kernelsize(2);
  auto* reshape = net.Layer({"b"}, {"c"})->mutable_reshape();
  for (const int64_t size : {18, 1, 1}) reshape->add_targetshape(size);
  auto* slice = net.Layer({"c"}, {"d"})->mutable_slicestatic();
  for (const int64_t end : {1, 1, 6, 1, 1}) {
    slice->add_beginids(0);
    slice->add_endids(end);
    slice->add_strides(1);
  }
  auto* loop = net.Layer({}, {})->mutable_loop();
  loop->set_maxloopiterations(2);
  auto* body = loop->mutable_bodynetwork()->add_layers();
  body->set_name("body");
  body->add_input("d");
  body->add_output("d");
  body->mutable_transpose();
  for (const uint64_t axis : {0, 1, 2, 4, 3}) body->mutable_transpose()->add_axes(axis);
  auto* fill = net.Layer({}, {"e"})->mutable_fillstatic();
  fill->add_targetshape(6);
  net.Layer({"d"}, {"y"})->mutable_activation()->mutable_leakyrelu()->set_alpha(0.5f);
  return net.Serialize();
}

}  // namespace anemone::neural_network
