"""`fashion-2020` in TensorFlow: the networks, losses, optimizers and compiled step of TensorFlow's DCGAN tutorial.

Run by a Python that has TensorFlow: `python tensorflow_step.py THREADS BATCH`. Prints a line of JSON when it is ready;
then reads a number of steps a line and answers with the seconds they took. One batch of images lies ready in memory,
where the tutorial shuffles and batches 60,000: that favours TensorFlow a little.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

layers = tf.keras.layers
NOISE_DIM = 100


def make_generator() -> Any:
    return tf.keras.Sequential(
        [
            layers.Input((NOISE_DIM,)),
            layers.Dense(7 * 7 * 256, use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.Reshape((7, 7, 256)),
            layers.Conv2DTranspose(128, (5, 5), strides=(1, 1), padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.Conv2DTranspose(64, (5, 5), strides=(2, 2), padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(),
            layers.Conv2DTranspose(
                1, (5, 5), strides=(2, 2), padding="same", use_bias=False, activation="tanh"
            ),
        ]
    )


def make_discriminator() -> Any:
    return tf.keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(64, (5, 5), strides=(2, 2), padding="same"),
            layers.LeakyReLU(),
            layers.Dropout(0.3),
            layers.Conv2D(128, (5, 5), strides=(2, 2), padding="same"),
            layers.LeakyReLU(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )


def make_step(batch: int) -> Any:
    generator, discriminator = make_generator(), make_discriminator()
    assert generator.count_params() == 2_330_944 and discriminator.count_params() == 212_865
    cross_entropy = tf.keras.losses.BinaryCrossentropy(from_logits=True)
    generator_adam, discriminator_adam = tf.keras.optimizers.Adam(1e-4), tf.keras.optimizers.Adam(1e-4)

    @tf.function  # type: ignore[untyped-decorator, unused-ignore]
    def step(images: Any) -> None:
        noise = tf.random.normal([batch, NOISE_DIM])
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            fakes = generator(noise, training=True)
            real_out = discriminator(images, training=True)
            fake_out = discriminator(fakes, training=True)
            generator_loss = cross_entropy(tf.ones_like(fake_out), fake_out)
            discriminator_loss = cross_entropy(tf.ones_like(real_out), real_out) + cross_entropy(
                tf.zeros_like(fake_out), fake_out
            )
        players = (
            (generator_tape, generator_loss, generator, generator_adam),
            (discriminator_tape, discriminator_loss, discriminator, discriminator_adam),
        )
        gradients = [tape.gradient(loss, network.trainable_variables) for tape, loss, network, _ in players]
        for (_, _, network, adam), slopes in zip(players, gradients, strict=True):
            adam.apply_gradients(zip(slopes, network.trainable_variables, strict=True))

    return step


def main() -> None:
    threads, batch = int(sys.argv[1]), int(sys.argv[2])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    step = make_step(batch)
    draw = np.random.default_rng(0)
    images = tf.constant(draw.uniform(-1, 1, (batch, 28, 28, 1)).astype("float32"))
    for _ in range(3):
        step(images)
    print(
        json.dumps({"ready": f"TensorFlow {tf.__version__}, Python {platform.python_version()}"}), flush=True
    )
    for line in sys.stdin:
        before = time.perf_counter()
        for _ in range(int(line)):
            step(images)
        print(json.dumps({"seconds": time.perf_counter() - before}), flush=True)


if __name__ == "__main__":
    main()
